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


def make_small(folder: pathlib.Path) -> pathlib.Path:
    """A small Llama with random weights, always the same: a wrong byte in its KV cache changes what it says."""
    import safetensors.torch
    import torch

    make_shape(folder, SMALL)
    generator = torch.Generator().manual_seed(7)
    hidden, heads, kv_heads, head = (
        SMALL[name] for name in ("hidden_size", "num_attention_heads", "num_key_value_heads", "head_dim")
    )

    def matrix(rows: int, columns: int) -> torch.Tensor:
        return torch.randn(rows, columns, generator=generator) * (2.0 / columns**0.5)

    tensors = {
        "model.embed_tokens.weight": torch.randn(SMALL["vocab_size"], hidden, generator=generator),
        "model.norm.weight": torch.ones(hidden),
        "lm_head.weight": matrix(SMALL["vocab_size"], hidden),
    }
    for layer in range(SMALL["num_hidden_layers"]):
        prefix = f"model.layers.{layer}"
        tensors |= {
            f"{prefix}.self_attn.q_proj.weight": matrix(heads * head, hidden),
            f"{prefix}.self_attn.k_proj.weight": matrix(kv_heads * head, hidden),
            f"{prefix}.self_attn.v_proj.weight": matrix(kv_heads * head, hidden),
            f"{prefix}.self_attn.o_proj.weight": matrix(hidden, heads * head),
            f"{prefix}.mlp.gate_proj.weight": matrix(SMALL["intermediate_size"], hidden),
            f"{prefix}.mlp.up_proj.weight": matrix(SMALL["intermediate_size"], hidden),
            f"{prefix}.mlp.down_proj.weight": matrix(hidden, SMALL["intermediate_size"]),
            f"{prefix}.input_layernorm.weight": torch.ones(hidden),
            f"{prefix}.post_attention_layernorm.weight": torch.ones(hidden),
        }
    safetensors.torch.save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    return folder
