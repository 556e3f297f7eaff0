#!/bin/bash
# Tells container runtimes of this node's tenants, as CDI devices: kvbroker.io/tenant=NAME gives a container what it needs to be
# that tenant, and nothing else of /run/kvbroker.
#
#   cdi.sh [--runtime-dir DIR] [--output FILE [--every SECONDS]]
#
#   $ sudo cdi.sh --output /etc/cdi/kvbroker.yaml
#   $ docker run --device kvbroker.io/tenant=chat …          # or podman
#
# A device is a tenant that has its own socket (own_socket), with its folder of each GPU whose broker has it: a client finds the
# broker of the GPU that it computes on by the GPU's UUID. Where there are several GPUs, <uuid>-NAME is one for that GPU alone.
#
# Needs root, or the brokers' user: nobody else may look into tenants/. To be run when brokers have started and when tenants
# have come or gone, or all the time, with --every: the file is replaced at once, and only where something has changed.
# Without a tenant there is no file, as one without a device is not valid. Folders outlive their brokers, so that a restart
# changes nothing.
set -u
shopt -s nullglob dotglob
export LC_ALL=C  # letters are ASCII's

usage() { sed -n '2,/^set/{s/^# //p; s/^#$//p}' "$0"; }

root=/run/kvbroker output='' every=''
inside=/run/kvbroker  # where the container has it: the client's default
while [ $# -gt 0 ]; do
  case $1 in
    --runtime-dir) root=${2:?a folder} ;;
    --output) output=${2:?a file} ;;
    --every) every=${2:?seconds} ;;
    --help) usage; exit 0 ;;
    *) usage >&2; exit 2 ;;
  esac
  shift 2
done
[[ -z $every || ( $every =~ ^[0-9]+(\.[0-9]+)?$ && $every =~ [1-9] ) ]] || { printf 'cdi.sh: --every %q is no number of seconds\n' "$every" >&2; exit 2; }
[ -z "$every" ] || [ -n "$output" ] || { echo "cdi.sh: --every goes with --output" >&2; exit 2; }
# It is written into the file as it is, and means the same to whoever reads that.
[[ $root =~ ^/[A-Za-z0-9/_.-]+$ ]] || { printf 'cdi.sh: --runtime-dir %q is no plain absolute path\n' "$root" >&2; exit 2; }

# device NAME TENANT UUID ...
device() {
  local name=$1 tenant=$2 uuid
  shift 2
  printf '  - name: "%s"\n    containerEdits:\n' "$name"
  printf '      env: ["KVBROKER_TENANT=%s", "KVBROKER_RUNTIME_DIR=%s"]\n      mounts:\n' "$tenant" "$inside"
  for uuid; do
    # The folder, as the next broker makes another socket in it. Connecting needs no right to write to the mount.
    printf '        - hostPath: "%s/%s/tenants/%s"\n' "$root" "$uuid" "$tenant"
    printf '          containerPath: "%s/%s"\n' "$inside" "$uuid"
    printf '          options: ["ro", "nosuid", "nodev", "noexec", "rbind", "rprivate"]\n'
  done
}

specification() {
  local folder path tenant uuid gpus=0
  local -A uuids_of=()
  [ -d "$root" ] && [ ! -r "$root" ] && { echo "cdi.sh: $root cannot be read: it needs root" >&2; return 1; }
  for folder in "$root"/*/tenants; do
    uuid=${folder%/tenants}
    [ ! -L "$uuid" ] || continue  # gpu0 and its like lead to folders that are listed themselves
    uuid=${uuid##*/}
    [[ $uuid =~ ^[A-Za-z0-9][A-Za-z0-9_.-]*$ ]] || { printf 'cdi.sh: left out: %q is no device\n' "$folder" >&2; continue; }
    if [ ! -r "$folder" ] || [ ! -x "$folder" ]; then
      echo "cdi.sh: $folder cannot be read: it needs root" >&2
      return 1
    fi
    gpus=$((gpus + 1))
    for path in "$folder"/*; do
      tenant=${path##*/}
      if [ ! -d "$path" ] || [ -L "$path" ]; then continue; fi
      # CDI's names are narrower than tenants'.
      if [[ ! $tenant =~ ^[A-Za-z0-9]([A-Za-z0-9_.-]*[A-Za-z0-9])?$ ]]; then
        printf 'cdi.sh: left out: CDI has no device of the name %q\n' "$tenant" >&2
        continue
      fi
      uuids_of[$tenant]="${uuids_of[$tenant]:-} $uuid"
    done
  done
  [ ${#uuids_of[@]} -gt 0 ] || return 0
  printf '# Written by cdi.sh of kvbroker.\ncdiVersion: "0.6.0"\nkind: "kvbroker.io/tenant"\ndevices:\n'
  for tenant in $(printf '%s\n' "${!uuids_of[@]}" | sort); do
    # shellcheck disable=SC2086 # UUIDs have no spaces
    device "$tenant" "$tenant" ${uuids_of[$tenant]}
    [ $gpus -gt 1 ] || continue
    for uuid in ${uuids_of[$tenant]}; do device "$uuid-$tenant" "$tenant" "$uuid"; done
  done
}

write() {
  local text fresh
  text=$(specification) || return 1
  if [ -z "$output" ]; then
    if [ -n "$text" ]; then printf '%s\n' "$text"; else echo "cdi.sh: no tenant has a socket of its own under $root" >&2; fi
    return 0
  fi
  if [ -z "$text" ]; then
    rm -f "$output"
    return
  fi
  [ "$text" != "$(cat "$output" 2>/dev/null)" ] || return 0
  mkdir -p "$(dirname "$output")" || return 1
  # Runtimes read what ends in .yaml or .json in that folder, and must not see half of it.
  fresh=$(mktemp "$output.XXXXXX") || return 1
  printf '%s\n' "$text" >"$fresh" && chmod 644 "$fresh" && mv "$fresh" "$output" && return
  rm -f "$fresh"
  return 1
}

[ -n "$every" ] || { write; exit; }
trap 'exit 0' TERM INT
while :; do
  write
  sleep "$every" &
  wait $!
done
