"""What runs the brokers in containers: the manifests and the compose file against their schemas and against what they name, the
image's entry point with real brokers, and the CDI devices as a container has them, with a real client in namespaces of its own.

test.py BAZEL_BIN [TEST ...]
"""

from __future__ import annotations

import copy
import json
import os
import pathlib
import re
import signal
import subprocess
import sys
import tempfile
import time
import unittest
from collections.abc import Callable, Iterator
from typing import Any

import check_jsonschema
import jsonschema
import kubernetes_validate
import yaml
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT7

BIN = pathlib.Path(sys.argv[1]).resolve()
HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]
sys.path.insert(0, str(ROOT / "client/python/tests"))

import counted  # noqa: E402
from broker import Broker  # noqa: E402

BROKER = str(BIN / "broker/kvbrokerd")
CONTAINER, KUBERNETES = ROOT / "deploy/container", ROOT / "deploy/kubernetes"
CDI, BROKERS = KUBERNETES / "cdi.sh", CONTAINER / "brokers"
USER = 9476
VERSIONS = sorted({tuple(int(n) for n in v.split(".")[:2]) for v in kubernetes_validate.utils.all_versions()})[-8:]
OWN_SOCKETS = "".join(f'tenant {{ name: "{name}" own_socket: true }}\n' for name in ("chat", "batch"))


def manifests() -> Iterator[tuple[str, dict[str, Any]]]:
    for path in sorted(KUBERNETES.rglob("*.yaml")):
        if path.name == "kustomization.yaml":
            continue
        for document in yaml.safe_load_all(path.read_text()):
            yield path.name, document


def named(kind: str, name: str) -> dict[str, Any]:
    return next(d for _, d in manifests() if (d["kind"], d["metadata"]["name"]) == (kind, name))


def by_name(items: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    return {item["name"]: item for item in items}


def compose() -> dict[str, Any]:
    return dict(yaml.safe_load((CONTAINER / "compose.yaml").read_text()))


def configurations() -> dict[str, str]:
    return {
        "compose.yaml": (CONTAINER / "broker.textproto").read_text(),
        "configmap.yaml": named("ConfigMap", "kvbroker")["data"]["broker.textproto"],
    }


def tenants_of(configuration: str) -> list[str]:
    return re.findall(r'^tenant \{ name: "(\w+)"', configuration, re.MULTILINE)


def strict(schema: dict[str, Any]) -> dict[str, Any]:
    """Runtimes refuse a CDI specification with a field that they do not know; the schema lets it pass."""
    schema = copy.deepcopy(schema)

    def close(node: Any) -> None:
        if isinstance(node, dict):
            if "properties" in node:
                node["additionalProperties"] = False
            for child in node.values():
                close(child)

    close(schema)
    return schema


def cdi_validator() -> jsonschema.Draft7Validator:
    parts = {name: strict(json.loads((HERE / "cdi-schema" / name).read_text())) for name in ("schema.json", "defs.json")}
    definitions = Resource.from_contents(parts["defs.json"], default_specification=DRAFT7)
    return jsonschema.Draft7Validator(parts["schema.json"], registry=Registry().with_resource("defs.json", definitions))


def cdi(*arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run([CDI, *map(str, arguments)], capture_output=True, text=True, timeout=20)


class Case(unittest.TestCase):
    def folder(self) -> pathlib.Path:
        folder = tempfile.TemporaryDirectory(prefix="kvb", dir="/tmp")  # a short name: sockets are made in it
        self.addCleanup(folder.cleanup)
        return pathlib.Path(folder.name)

    def eventually(self, condition: Callable[[], Any], what: str, within: float = 20.0) -> Any:
        deadline = time.monotonic() + within
        while not (found := condition()):
            self.assertLess(time.monotonic(), deadline, what)
            time.sleep(0.05)
        return found

    def broker(self, configuration: str) -> Broker:
        path = self.folder() / "broker.textproto"
        path.write_text(configuration)
        broker = Broker(BROKER, "--host-memory", "256MiB", "--config", str(path))
        self.addCleanup(broker.stop)
        return broker

    def check_cdi(self, text: str) -> dict[str, dict[str, Any]]:
        """Valid, by the schema and by the rules that stand in the specification alone; returns the devices' edits."""
        document = yaml.safe_load(text)
        cdi_validator().validate(document)
        self.assertEqual((document["cdiVersion"], document["kind"]), ("0.6.0", "kvbroker.io/tenant"))
        self.assertTrue(document["devices"], "a specification has a device")
        names = [device["name"] for device in document["devices"]]
        self.assertEqual(len(names), len(set(names)))
        for name in names:
            self.assertRegex(name, r"^[A-Za-z0-9]([A-Za-z0-9_.-]*[A-Za-z0-9])?$")
        return {device["name"]: device["containerEdits"] for device in document["devices"]}


class SchemaTest(Case):
    def test_manifests_are_valid_for_each_version_of_kubernetes(self) -> None:
        self.assertGreaterEqual(len(VERSIONS), 6)
        seen = []
        for name, document in manifests():
            for major, minor in VERSIONS:
                with self.subTest(name, version=f"{major}.{minor}"):
                    used = kubernetes_validate.validate(document, f"{major}.{minor}", strict=True)
                    self.assertEqual(used, f"{major}.{minor}")
            seen.append(document["kind"])
        self.assertEqual(sorted(seen), ["ConfigMap", "DaemonSet", "DaemonSet", "Namespace", "Pod", "Pod", "Pod"])

    def test_a_wrong_manifest_is_seen(self) -> None:
        for change in ({"hostPid": True}, {"hostPID": "yes"}, {"containers": None}):
            wrong = copy.deepcopy(named("DaemonSet", "kvbroker"))
            wrong["spec"]["template"]["spec"].update(change)
            with self.assertRaises(kubernetes_validate.ValidationError):
                kubernetes_validate.validate(wrong, "1.34", strict=True)

    def test_the_kustomization_has_every_manifest_but_the_examples(self) -> None:
        document = yaml.safe_load((KUBERNETES / "kustomization.yaml").read_text())
        self.assertEqual(
            sorted(document["resources"]), sorted(p.name for p in KUBERNETES.glob("*.yaml") if p.name != "kustomization.yaml")
        )
        pods = [d["spec"]["template"]["spec"] for _, d in manifests() if d["kind"] == "DaemonSet"]
        images = {container["image"] for pod in pods for container in pod["containers"]}
        self.assertEqual(images, {image["name"] for image in document["images"]})

    def test_a_field_that_cdi_does_not_have_is_seen(self) -> None:
        device = {"name": "chat", "containerEdits": {"mounts": [{"hostPath": "/a", "containerPath": "/b"}]}}
        document = {"cdiVersion": "0.6.0", "kind": "kvbroker.io/tenant", "devices": [device]}
        cdi_validator().validate(document)
        device["containerEdits"]["mounts"][0]["path"] = "/c"  # type: ignore[index]
        self.assertFalse(cdi_validator().is_valid(document))

    def test_the_compose_file_is_valid(self) -> None:
        bundled = pathlib.Path(check_jsonschema.__file__).parent / "builtin_schemas/vendor/compose-spec.json"
        schema = json.loads(bundled.read_text())
        validator = jsonschema.validators.validator_for(schema)(schema)
        document = compose()
        validator.validate(document)
        document["services"]["broker"]["cap_dropp"] = ["ALL"]
        self.assertFalse(validator.is_valid(document))


class NamesTest(Case):
    def test_variables_are_those_that_are_read(self) -> None:
        sources = [*(ROOT / "client").rglob("*.cc"), *(ROOT / "client/python/kvbroker").rglob("*.py"), BROKERS]
        read = set(re.findall(r"\bKVBROKER_[A-Z_]+\b", "".join(path.read_text() for path in sources)))
        read.add("KVBROKER_GPU")  # the compose file's own
        for path in [CONTAINER / "compose.yaml", CDI, *KUBERNETES.rglob("*.yaml")]:
            with self.subTest(path.name):
                self.assertLessEqual(set(re.findall(r"\bKVBROKER_[A-Z_]+\b", path.read_text())), read)

    def test_what_the_image_is_made_of_and_what_is_called_in_it_is_there(self) -> None:
        for path in (CONTAINER / "Containerfile", CONTAINER / "vllm/Containerfile"):
            self.assertRegex(path.read_text(), r"(?m)^FROM docker\.io/")
        text = (CONTAINER / "Containerfile").read_text()
        copied = re.search(r"^COPY \S+ (.+) (\S+)/$", text, re.MULTILINE)
        assert copied is not None
        for source in copied[1].split():
            self.assertTrue(os.access(ROOT / source, os.X_OK), source)
        here = {f"{copied[2]}/{pathlib.Path(source).name}" for source in copied[1].split()}
        everything = text + "".join(p.read_text() for p in [CONTAINER / "compose.yaml", *KUBERNETES.rglob("*.yaml")])
        self.assertEqual(set(re.findall(r"/usr/lib/kvbroker/[\w.]+", everything)), here)
        self.assertIn(f"USER {USER}:{USER}", text)

    def test_the_broker_has_the_hosts_pids_and_nothing_else_of_it(self) -> None:
        service = compose()["services"]["broker"]
        self.assertEqual((service["pid"], service["network_mode"], service["cap_drop"]), ("host", "none", ["ALL"]))
        self.assertNotIn("privileged", service)
        pod = named("DaemonSet", "kvbroker")["spec"]["template"]["spec"]
        self.assertTrue(pod["hostPID"])
        self.assertFalse(pod.get("hostNetwork") or pod.get("hostIPC") or pod["automountServiceAccountToken"])
        self.assertEqual(pod["securityContext"]["runAsUser"], USER)
        for container in pod["containers"]:
            security = container["securityContext"]
            self.assertEqual(security["capabilities"], {"drop": ["ALL"]})
            self.assertTrue(security["readOnlyRootFilesystem"])
            self.assertFalse(security["allowPrivilegeEscalation"])
        mounts = {m["name"]: m["mountPath"] for m in by_name(pod["containers"])["brokers"]["volumeMounts"]}
        folders = {v["name"]: v["hostPath"]["path"] for v in pod["volumes"] if "hostPath" in v}
        self.assertEqual(mounts, {**folders, "config": "/etc/kvbroker"})

    def test_an_engine_has_its_own_tenants_folder_alone(self) -> None:
        services = compose()["services"]
        for tenant in tenants_of(configurations()["compose.yaml"]):
            mounts = [v for v in services[tenant]["volumes"] if isinstance(v, dict)]
            self.assertEqual([v["source"] for v in mounts], [f"/run/kvbroker/${{KVBROKER_GPU}}/tenants/{tenant}"])
            self.assertEqual(mounts[0]["target"], "/run/kvbroker/${KVBROKER_GPU}")
            self.assertEqual(services[tenant]["environment"]["KVBROKER_TENANT"], tenant)
        tenants = tenants_of(configurations()["configmap.yaml"])
        for name, pod in manifests():
            if pod["kind"] != "Pod":
                continue
            container = pod["spec"]["containers"][0]
            if name == "vllm-hostpath.yaml":
                path = pod["spec"]["volumes"][0]["hostPath"]["path"]
                mount = container["volumeMounts"][0]["mountPath"]
                variables = {e["name"]: e.get("value") for e in container["env"]}
                self.assertEqual(path, f"{mount}/tenants/{variables['KVBROKER_TENANT']}")
                self.assertEqual(mount, f"{variables['KVBROKER_RUNTIME_DIR']}/{variables['NVIDIA_VISIBLE_DEVICES']}")
                self.assertIn(variables["KVBROKER_TENANT"], tenants)
            else:
                self.assertNotIn("volumes", pod["spec"])
                annotation = f"cdi-devices.noderesource.dev/container.{container['name']}"
                asked = yaml.safe_load(pod["metadata"]["annotations"][annotation])
                self.assertIn(asked, [[f"kvbroker.io/tenant={tenant}"] for tenant in tenants])


class ConfigurationTest(Case):
    def test_a_broker_takes_them_and_each_tenant_has_its_socket(self) -> None:
        for name, configuration in configurations().items():
            with self.subTest(name):
                broker = self.broker(configuration)
                there = {p.parent.name for p in pathlib.Path(broker.runtime_dir).glob("HOST-*/tenants/*/engine.sock")}
                self.assertEqual(there, set(tenants_of(configuration)))
                self.assertEqual(there, {"chat", "batch"})


class CdiTest(Case):
    def runtime_dir(self, tenants: dict[str, list[str]]) -> pathlib.Path:
        """As brokers leave it: a folder for each GPU, and links to them."""
        root = self.folder()
        for number, (uuid, names) in enumerate(tenants.items()):
            (root / uuid / "admin").mkdir(parents=True)
            for file in ("lock", "epoch", "journal"):
                (root / uuid / file).touch()
            if names:
                (root / uuid / "tenants").mkdir(mode=0o700)
            for name in names:
                (root / uuid / "tenants" / name).mkdir()
                (root / uuid / "tenants" / name / "engine.sock").touch()
            (root / f"gpu{number}").symlink_to(uuid)
        return root

    def test_a_device_has_its_tenants_folder_and_the_variables(self) -> None:
        root = self.runtime_dir({"GPU-1a": ["chat", "batch"]})
        ran = cdi("--runtime-dir", root)
        self.assertEqual((ran.returncode, ran.stderr), (0, ""))
        devices = self.check_cdi(ran.stdout)
        self.assertEqual(list(devices), ["batch", "chat"])
        self.assertEqual(devices["chat"]["env"], ["KVBROKER_TENANT=chat", "KVBROKER_RUNTIME_DIR=/run/kvbroker"])
        self.assertEqual(
            devices["chat"]["mounts"],
            [
                {
                    "hostPath": f"{root}/GPU-1a/tenants/chat",
                    "containerPath": "/run/kvbroker/GPU-1a",
                    "options": ["ro", "nosuid", "nodev", "noexec", "rbind", "rprivate"],
                }
            ],
        )

    def test_with_several_gpus_a_tenant_has_all_of_its_folders_or_one(self) -> None:
        root = self.runtime_dir({"GPU-1a": ["chat", "batch"], "GPU-2b": ["chat"], "GPU-3c": []})
        devices = self.check_cdi(cdi("--runtime-dir", root).stdout)
        self.assertEqual(
            {name: [pathlib.Path(m["containerPath"]).name for m in edits["mounts"]] for name, edits in devices.items()},
            {"batch": ["GPU-1a"], "GPU-1a-batch": ["GPU-1a"], "chat": ["GPU-1a", "GPU-2b"]}
            | {"GPU-1a-chat": ["GPU-1a"], "GPU-2b-chat": ["GPU-2b"]},
        )

    def test_names_that_cdi_does_not_have_are_left_out_and_named(self) -> None:
        odd = ["-a", "a-", "_b", "c.", ".hidden", "x y", 'q"uote', "new\nline", "$(touch x)", "é", "*"]
        root = self.runtime_dir({"GPU-1a": ["ok.1_2-3", "0", "a" * 64, *odd], "not a device": ["chat"]})
        (root / "GPU-1a/tenants/file").touch()
        (root / "GPU-1a/tenants/link").symlink_to("0")
        ran = cdi("--runtime-dir", root)
        self.assertEqual(ran.returncode, 0)
        self.assertEqual(sorted(self.check_cdi(ran.stdout)), ["0", "a" * 64, "ok.1_2-3"])
        self.assertEqual(len(ran.stderr.splitlines()), len(odd) + 1, ran.stderr)

    def test_without_a_tenant_there_is_no_file(self) -> None:
        output = self.folder() / "cdi" / "kvbroker.yaml"
        for root in (self.runtime_dir({}), self.runtime_dir({"GPU-1a": []}), pathlib.Path("/nonexistent")):
            ran = cdi("--runtime-dir", root)
            self.assertEqual((ran.returncode, ran.stdout), (0, ""))
            self.assertIn("no tenant", ran.stderr)
            self.assertEqual(cdi("--runtime-dir", root, "--output", output).returncode, 0)
            self.assertFalse(output.exists())

    def test_the_file_is_replaced_as_a_whole_and_only_for_a_change(self) -> None:
        root = self.runtime_dir({"GPU-1a": ["chat"]})
        output = self.folder() / "cdi" / "kvbroker.yaml"

        def write() -> os.stat_result:
            ran = cdi("--runtime-dir", root, "--output", output)
            self.assertEqual((ran.returncode, ran.stdout, ran.stderr), (0, "", ""))
            self.assertEqual([p.name for p in output.parent.iterdir()], ["kvbroker.yaml"])
            return output.stat()

        first = write()
        self.assertEqual(first.st_mode & 0o777, 0o644)
        self.assertEqual(write().st_ino, first.st_ino)
        with output.open() as reader:
            (root / "GPU-1a/tenants/batch").mkdir()
            self.assertNotEqual(write().st_ino, first.st_ino)
            self.assertEqual(list(self.check_cdi(reader.read())), ["chat"])
        self.assertEqual(list(self.check_cdi(output.read_text())), ["batch", "chat"])
        (root / "GPU-1a/tenants/chat/engine.sock").unlink()  # a broker that is being replaced
        write()
        self.assertEqual(list(self.check_cdi(output.read_text())), ["batch", "chat"])
        for name in ("chat", "batch"):
            subprocess.run(["rm", "-r", root / "GPU-1a/tenants" / name], check=True)
        self.assertEqual(cdi("--runtime-dir", root, "--output", output).returncode, 0)
        self.assertFalse(output.exists())

    def test_the_file_follows_the_tenants(self) -> None:
        root = self.runtime_dir({"GPU-1a": []})
        output = self.folder() / "kvbroker.yaml"
        process = subprocess.Popen([CDI, "--runtime-dir", root, "--output", output, "--every", "0.1"])
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        (root / "GPU-1a/tenants/chat").mkdir(parents=True)
        self.eventually(output.exists, "a tenant that came is not seen")
        self.assertEqual(list(self.check_cdi(output.read_text())), ["chat"])
        process.terminate()
        self.assertEqual(process.wait(5), 0)

    def test_wrong_arguments_are_refused(self) -> None:
        for arguments in (["--no"], ["--every", "1"], ["--output", "/tmp/x", "--every", "0.0"], ["--output", "/tmp/x", "--every", "soon"], ["--runtime-dir", 'a"b'], ["--runtime-dir", "relative"]):
            ran = cdi(*arguments)
            self.assertEqual((ran.returncode, ran.stdout), (2, ""), arguments)
            self.assertTrue(ran.stderr)
        root = self.runtime_dir({"GPU-1a": ["chat"]})
        self.assertEqual(cdi("--output", "/proc/no/file", "--runtime-dir", root).returncode, 1)

    def test_who_may_not_look_makes_no_file(self) -> None:
        if os.geteuid() != 0:
            self.skipTest("needs root, to be somebody else")
        root = self.runtime_dir({"GPU-1a": ["chat"]})
        root.chmod(0o755)
        output = self.folder() / "kvbroker.yaml"
        output.write_text("as it was")
        ran = subprocess.run(
            ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "bash", "-s", "--", "--runtime-dir", root],
            input=CDI.read_text(),  # from the input: this tree may be somebody else's, too
            capture_output=True,
            text=True,
            cwd="/",
        )
        self.assertEqual((ran.returncode, ran.stdout), (1, ""))
        self.assertIn("needs root", ran.stderr)


# As a container runtime: namespaces of its own, with what the edits mount, and the variables that they set.
CONTAINER_INIT = """
set -e
mount -t tmpfs none /run
while read -r from to; do
  mkdir -p "$to"
  mount --bind "$from" "$to"
  mount -o remount,bind,ro,nosuid,nodev,noexec "$to"
done <<<"$MOUNTS"
exec "$@"
"""
NAMESPACES = ["unshare", "--mount", "--pid", "--ipc", "--net", "--uts", "--cgroup", "--fork", "--mount-proc"]


class ContainerTest(Case):
    def setUp(self) -> None:
        if subprocess.run([*NAMESPACES, "true"], capture_output=True).returncode != 0:
            self.skipTest("namespaces need root, and a kernel that lets it")

    def container(self, edits: dict[str, Any], *command: object, **environment: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [*NAMESPACES, "bash", "-c", CONTAINER_INIT, "container", *command],
            env={
                "PATH": os.environ["PATH"],
                "PYTHONPATH": str(ROOT / "client/python"),
                "KVBROKER_LIBRARY": str(BIN / "client/capi/libkvbroker.so"),
                "MOUNTS": "\n".join(f"{mount['hostPath']} {mount['containerPath']}" for mount in edits["mounts"]),
                **dict(variable.split("=", 1) for variable in edits["env"]),
                **environment,
            },
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.addCleanup(process.communicate)
        self.addCleanup(process.kill)
        return process

    def client(self, edits: dict[str, Any], *arguments: str, **environment: str) -> tuple[int, str, str]:
        process = self.container(edits, sys.executable, HERE / "client.py", *arguments, **environment)
        out, error = process.communicate(timeout=60)
        return process.returncode, out, error

    def devices(self, broker: Broker) -> dict[str, dict[str, Any]]:
        ran = cdi("--runtime-dir", broker.runtime_dir)
        self.assertEqual((ran.returncode, ran.stderr), (0, ""))
        return self.check_cdi(ran.stdout)

    def test_a_container_with_the_device_is_its_tenant_and_no_other(self) -> None:
        devices = self.devices(self.broker(OWN_SOCKETS))
        self.assertEqual(list(devices), ["batch", "chat"])
        uuid = pathlib.Path(devices["chat"]["mounts"][0]["containerPath"]).name
        for tenant in devices:
            for arguments in ([], [uuid]):  # as whoever has one GPU finds its broker, and as vLLM's plug-in does
                code, out, error = self.client(devices[tenant], *arguments)
                self.assertEqual((code, out), (0, f"{uuid} holds memory\n"), error)
        code, _, error = self.client(devices["chat"], KVBROKER_TENANT="batch")
        self.assertEqual(code, 1)
        self.assertIn("PermissionDenied", error)

    def test_a_container_finds_the_next_broker(self) -> None:
        broker = self.broker(OWN_SOCKETS)
        edits = self.devices(broker)["chat"]
        then = 'echo mounted; read -r go; exec "$0" "$@"'
        process = self.container(edits, "sh", "-c", then, sys.executable, HERE / "client.py")
        assert process.stdout is not None
        self.assertEqual(process.stdout.readline(), "mounted\n")
        broker.kill()
        (pathlib.Path(edits["mounts"][0]["hostPath"]) / "engine.sock").unlink()
        broker.restart()
        out, error = process.communicate("go\n", timeout=60)
        self.assertEqual(process.returncode, 0, error)
        self.assertIn("holds memory", out)

    def test_a_broker_without_the_hosts_pids_refuses(self) -> None:
        program = self.folder() / "kvbrokerd"
        program.write_text(f'#!/bin/sh\nexec unshare --pid --fork --kill-child --mount-proc {BROKER} "$@"\n')
        program.chmod(0o755)
        configuration = program.with_name("broker.textproto")
        configuration.write_text(OWN_SOCKETS)
        broker = Broker(str(program), "--host-memory", "64MiB", "--config", str(configuration))
        self.addCleanup(broker.stop)
        code, _, error = self.client(self.devices(broker)["chat"])
        self.assertEqual(code, 1)
        self.assertIn("pidfd is of process", error)


class BrokersTest(Case):
    """The image's entry point, with host devices."""

    def setUp(self) -> None:
        self.root = self.folder()
        programs = self.folder()
        for path in ("broker/kvbrokerd", "cli/kvctl"):
            (programs / pathlib.Path(path).name).symlink_to(BIN / path)
        self.configuration = programs / "broker.textproto"
        self.configuration.write_text(OWN_SOCKETS)
        self.environment = {
            **os.environ,
            "PATH": f"{programs}:{os.environ['PATH']}",
            "KVBROKER_RUNTIME_DIR": str(self.root),
            "KVBROKER_STATE_DIR": str(programs / "state"),
            "KVBROKER_DEVICES": "host:a host:b",
        }

    def start(self) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [BROKERS, "run", "--host-memory", "64MiB", "--config", self.configuration],
            env=self.environment,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert process.stderr is not None
        self.addCleanup(process.stderr.close)
        self.addCleanup(process.wait)
        self.addCleanup(process.terminate)
        return process

    def ask(self, what: str) -> int:
        return subprocess.run([BROKERS, what], env=self.environment, capture_output=True, timeout=30).returncode

    def pids(self) -> dict[str, int]:
        return {p.parent.name: int(p.read_text() or 0) for p in self.root.glob("HOST-*/lock")}

    def ready(self) -> bool:
        return len(self.pids()) == 2 and self.ask("ready") == 0

    def test_one_that_ends_is_started_again_and_the_others_go_on(self) -> None:
        self.assertEqual((self.ask("ready"), self.ask("live")), (1, 0))
        process = self.start()
        self.eventually(self.ready, "no brokers")
        before = self.pids()
        os.kill(before["HOST-a"], signal.SIGSTOP)
        self.assertEqual((self.ask("ready"), self.ask("live")), (1, 1), "one that does not answer")
        os.kill(before["HOST-a"], signal.SIGKILL)
        self.eventually(lambda: self.ask("live") == 0, "one that has ended is not alive, and not stuck")
        self.eventually(lambda: self.pids()["HOST-a"] != before["HOST-a"] and self.ready(), "it is not started again")
        self.assertEqual(self.pids()["HOST-b"], before["HOST-b"])
        process.terminate()
        self.assertEqual(process.wait(10), 0)
        self.assertEqual(list(self.root.glob("*/engine.sock")), [])

    def test_brokers_read_a_changed_configuration(self) -> None:
        process = self.start()
        self.eventually(self.ready, "no brokers")
        for name, tell in (("more", lambda: self.ask("reload")), ("again", lambda: process.send_signal(signal.SIGHUP))):
            self.configuration.write_text(OWN_SOCKETS + f'tenant {{ name: "{name}" own_socket: true }}\n')
            tell()
            sockets = f"HOST-*/tenants/{name}/engine.sock"
            self.eventually(lambda: len(list(self.root.glob(sockets))) == 2, f"{name} is not there")
        self.assertEqual(self.ask("ready"), 0)

    def test_brokers_end_with_it(self) -> None:
        process = self.start()
        self.eventually(self.ready, "no brokers")
        pids = self.pids().values()
        process.kill()
        self.eventually(lambda: not any(pathlib.Path(f"/proc/{pid}/exe").exists() for pid in pids), "brokers are left")

    def test_a_broker_that_is_detached_stays_away(self) -> None:
        process = self.start()
        self.eventually(self.ready, "no brokers")
        for name in ("HOST-a", "HOST-b"):
            detach = ["kvctl", "detach", "--socket", self.root / name / "admin/admin.sock"]
            subprocess.run(detach, env=self.environment, check=True, capture_output=True, timeout=10)
        time.sleep(1)  # longer than one that ends is away
        self.assertEqual(list(self.root.glob("*/engine.sock")), [])
        self.assertEqual((process.poll(), self.ask("ready"), self.ask("live")), (None, 1, 0))
        process.terminate()
        self.assertEqual(process.wait(10), 0)

    def test_a_wrong_configuration_ends_it(self) -> None:
        self.configuration.write_text('tenant { name: "no/name" }\n')
        process = self.start()
        self.assertEqual(process.wait(10), 1)
        assert process.stderr is not None
        self.assertEqual(process.stderr.read().count("its configuration is wrong"), 2)

    def test_without_a_gpu_it_says_so(self) -> None:
        del self.environment["KVBROKER_DEVICES"]
        self.environment["PATH"] = str(self.folder())  # no nvidia-smi
        ran = subprocess.run([BROKERS, "run"], env=self.environment, capture_output=True, text=True, timeout=10)
        self.assertEqual(ran.returncode, 1)
        self.assertIn("no GPU here", ran.stderr)

    def test_what_it_does_not_know_is_refused(self) -> None:
        ran = subprocess.run([BROKERS, "what"], capture_output=True, text=True)
        self.assertEqual(ran.returncode, 2)
        self.assertIn("brokers reload", ran.stderr)


if __name__ == "__main__":
    counted.main(sys.argv[2:])
