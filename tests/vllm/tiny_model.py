"""Makes a small Llama with random weights: big enough that a wrong byte in its KV cache changes what it says."""

from __future__ import annotations

import json
import pathlib

CONFIG = {
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


def make(folder: pathlib.Path) -> pathlib.Path:
    """Writes config.json and model.safetensors, always the same ones."""
    import safetensors.torch
    import torch

    folder.mkdir(parents=True, exist_ok=True)
    generator = torch.Generator().manual_seed(7)
    hidden, heads, kv_heads, head = (
        CONFIG[name] for name in ("hidden_size", "num_attention_heads", "num_key_value_heads", "head_dim")
    )

    def matrix(rows: int, columns: int) -> torch.Tensor:
        return torch.randn(rows, columns, generator=generator) * (2.0 / columns**0.5)

    tensors = {
        "model.embed_tokens.weight": torch.randn(CONFIG["vocab_size"], hidden, generator=generator),
        "model.norm.weight": torch.ones(hidden),
        "lm_head.weight": matrix(CONFIG["vocab_size"], hidden),
    }
    for layer in range(CONFIG["num_hidden_layers"]):
        prefix = f"model.layers.{layer}"
        tensors |= {
            f"{prefix}.self_attn.q_proj.weight": matrix(heads * head, hidden),
            f"{prefix}.self_attn.k_proj.weight": matrix(kv_heads * head, hidden),
            f"{prefix}.self_attn.v_proj.weight": matrix(kv_heads * head, hidden),
            f"{prefix}.self_attn.o_proj.weight": matrix(hidden, heads * head),
            f"{prefix}.mlp.gate_proj.weight": matrix(CONFIG["intermediate_size"], hidden),
            f"{prefix}.mlp.up_proj.weight": matrix(CONFIG["intermediate_size"], hidden),
            f"{prefix}.mlp.down_proj.weight": matrix(hidden, CONFIG["intermediate_size"]),
            f"{prefix}.input_layernorm.weight": torch.ones(hidden),
            f"{prefix}.post_attention_layernorm.weight": torch.ones(hidden),
        }
    safetensors.torch.save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    (folder / "config.json").write_text(json.dumps(CONFIG, indent=1))
    return folder
