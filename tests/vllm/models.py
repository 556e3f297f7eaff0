"""Makes models to test with: a small one with weights, and the shape of a large one without."""

from __future__ import annotations

import json
import pathlib

SMALL = {
    "architectures": ["LlamaForCausalLM"],
    "model_type": "llama",
    "vocab_size": 512,
    "hidden_size": 256,
    "intermediate_size": 512,
    "num_hidden_layers": 4,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 64,
    "hidden_act": "silu",
    "max_position_embeddings": 4096,
    "rms_norm_eps": 1e-5,
    "rope_theta": 10000.0,
    "tie_word_embeddings": False,
    "torch_dtype": "float32",
    "bos_token_id": 0,
    "eos_token_id": 1,
}
LLAMA_8B = SMALL | {
    "vocab_size": 128256,
    "hidden_size": 4096,
    "intermediate_size": 14336,
    "num_hidden_layers": 32,
    "num_attention_heads": 32,
    "num_key_value_heads": 8,
    "head_dim": 128,
    "max_position_embeddings": 131072,
    "rope_theta": 500000.0,
    "torch_dtype": "bfloat16",
}

# As much KV cache a token as Llama-3.1-8B, and few weights: 1.2 GB.
NARROW_8B = LLAMA_8B | {"vocab_size": 32768, "hidden_size": 1024, "intermediate_size": 2048}


def make_shape(folder: pathlib.Path, config: dict[str, object]) -> pathlib.Path:
    """Writes config.json and a tokenizer whose words are t0, t1, ...; for `--load-format dummy`."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps(config, indent=1))
    words = {f"t{i}": i for i in range(config["vocab_size"])}
    tokenizer = {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [],
        "normalizer": None,
        "pre_tokenizer": {"type": "WhitespaceSplit"},
        "post_processor": None,
        "decoder": None,
        "model": {"type": "WordLevel", "vocab": words, "unk_token": "t0"},
    }
    (folder / "tokenizer.json").write_text(json.dumps(tokenizer))
    (folder / "tokenizer_config.json").write_text(
        json.dumps({"tokenizer_class": "PreTrainedTokenizerFast", "bos_token": "t0", "eos_token": "t1"})
    )
    return folder


def make(folder: pathlib.Path, config: dict[str, object]) -> pathlib.Path:
    """The same with random weights, always the same ones, of a size that makes every token depend on all before it: a wrong
    byte in the KV cache changes what is said."""
    import safetensors.torch
    import torch

    make_shape(folder, config)
    if (folder / "model.safetensors").exists():
        return folder
    device = "cuda" if torch.cuda.is_available() else "cpu"
    kind = getattr(torch, config["torch_dtype"])
    generator = torch.Generator(device).manual_seed(7)
    hidden, heads, kv_heads, head = (
        config[name] for name in ("hidden_size", "num_attention_heads", "num_key_value_heads", "head_dim")
    )

    def matrix(rows: int, columns: int) -> torch.Tensor:
        return (torch.randn(rows, columns, generator=generator, device=device) * (2.0 / columns**0.5)).to("cpu", kind)

    tensors = {
        "model.embed_tokens.weight": matrix(config["vocab_size"], hidden) * hidden**0.5 / 2,
        "model.norm.weight": torch.ones(hidden, dtype=kind),
        "lm_head.weight": matrix(config["vocab_size"], hidden),
    }
    for layer in range(config["num_hidden_layers"]):
        prefix = f"model.layers.{layer}"
        tensors |= {
            f"{prefix}.self_attn.q_proj.weight": matrix(heads * head, hidden),
            f"{prefix}.self_attn.k_proj.weight": matrix(kv_heads * head, hidden),
            f"{prefix}.self_attn.v_proj.weight": matrix(kv_heads * head, hidden),
            f"{prefix}.self_attn.o_proj.weight": matrix(hidden, heads * head),
            f"{prefix}.mlp.gate_proj.weight": matrix(config["intermediate_size"], hidden),
            f"{prefix}.mlp.up_proj.weight": matrix(config["intermediate_size"], hidden),
            f"{prefix}.mlp.down_proj.weight": matrix(hidden, config["intermediate_size"]),
            f"{prefix}.input_layernorm.weight": torch.ones(hidden, dtype=kind),
            f"{prefix}.post_attention_layernorm.weight": torch.ones(hidden, dtype=kind),
        }
    safetensors.torch.save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    return folder
