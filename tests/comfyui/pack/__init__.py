"""Nodes that only tests need. Loaded by ComfyUI beside StepDistill; ids start with "Test".

| node | what |
|---|---|
| TestDigits | conditioning of the bundled checkpoints: digits "3, 7" (row i of a batch gets the
  i-th), "-1" the empty prompt |
| TestConditioning | seeded random conditioning of any size (for TestWan: tokens 4, width 4096,
  pooled 0) |
| TestWan | a tiny Wan 2.1 with seeded weights: 5-D latents (B, 16, T, H, W), flow, shift 8 |
| TestRecorder | passes a MODEL on; writes what every sampling run was given and asked to
  output/<name>.jsonl; may slow it down |
| TestTeaCache | a MODEL that answers from memory where its input has changed little, by a wrapper
  that ComfyUI does not know |
| TestSave | writes latents and sigmas to output/<name>.samples.npy and <name>.sigmas.npy, text to
  <name>.txt |
| TestPicture | a latent's first three channels as an image, for SaveImage |

eps.safetensors is loaded by the stock loaders, once SD1.5 in a smaller size is registered here.
"""

from importlib.util import find_spec

# relative: ComfyUI has a package named tests of its own
from . import class_nodes
from .nodes import NODES, register_small_sd15

if find_spec("comfy") is not None:  # else only the tables are read
    register_small_sd15()

NODE_CLASS_MAPPINGS = NODES | class_nodes.NODES
NODE_DISPLAY_NAME_MAPPINGS = {}
