"""Export: a run's bins or curated rows in the formats that other trainers read.

| format | of | what |
|---|---|---|
| `megatron` | bins | `{split}.bin`, `{split}.idx`; a document an example |
| `nanogpt` | bins | `{split}_000000.bin`, `.bos.idx`; a document an example |
| `nemo` | bins | packed `.npy` (NeMo 2) and `.idx.parquet` (Megatron-Bridge), with the loss mask |
| `jsonl` | curated rows | `training.jsonl`, `validation.jsonl`, `test.jsonl` |
| `hf` | curated rows | a Hugging Face dataset folder |

A folder is written whole or not at all, its `_manifest.json` with it.
"""

from pipeline.export.export import FORMATS, export

__all__ = ["FORMATS", "export"]
