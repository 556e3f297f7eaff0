"""A vLLM engine that does what its standard input says, a JSON object a line, and answers likewise on the descriptor that
its first argument names. See engine.py, which speaks with it.

    {"options": {...}}                                    first: makes LLM(**options)
    {"prompts": [[1, 2], ...], "tokens": [64, ...]}       generates greedily -> {"tokens": [[...], ...],
                                                          "endings": ["length", ...], "seconds": 1.5,
                                                          "firsts": [0.02, ...]}, seconds to each first token
    {"call": "sleep", "with": {"level": 2}}               a method of LLM -> {"result": ...}
    {"metrics": true}                                     -> {"metrics": {name: value}}
"""

from __future__ import annotations

import functools
import json
import os
import sys
import time


def main() -> None:
    answers = os.fdopen(int(sys.argv[1]), "w")

    def answer(**fields: object) -> None:
        print(json.dumps(fields), file=answers, flush=True)

    options = json.loads(sys.stdin.readline())["options"]
    from tqdm import tqdm
    from vllm import LLM, SamplingParams

    # Each request that ends is told at once, by a line of its own: Engine.ended() reads them.
    progress = functools.partial(tqdm, mininterval=0, bar_format="{desc}: {n_fmt} of {total_fmt}\n", file=sys.stdout)

    started = time.monotonic()
    llm = LLM(skip_tokenizer_init=True, disable_log_stats=False, **options)
    answer(seconds=time.monotonic() - started)
    for line in sys.stdin:
        command = json.loads(line)
        if "prompts" in command:
            started = time.monotonic()
            sampling = [
                SamplingParams(temperature=0, max_tokens=most, ignore_eos=True, detokenize=False)
                for most in command["tokens"]
            ]
            prompts = [{"prompt_token_ids": prompt} for prompt in command["prompts"]]
            outputs = llm.generate(prompts, sampling, use_tqdm=progress)
            tokens = [list(output.outputs[0].token_ids) for output in outputs]
            endings = [output.outputs[0].finish_reason for output in outputs]
            seconds = time.monotonic() - started
            firsts = [output.metrics.first_token_latency if output.metrics else 0.0 for output in outputs]
            answer(tokens=tokens, endings=endings, seconds=seconds, firsts=firsts)
        elif "call" in command:
            answer(result=getattr(llm, command["call"])(**command["with"]))
        else:
            values = {metric.name: metric.value for metric in llm.get_metrics() if hasattr(metric, "value")}
            answer(metrics=values)


if __name__ == "__main__":
    main()
