"""Small workflows for the tests, as ComfyUI's page writes them, and their prompts."""

from __future__ import annotations

import copy
from zlib import crc32

import numpy as np

from scheduler.record import Conditions, Model, Recipe, Record, now

SOCKETS = {
    "UNETLoader": ([], ["MODEL"]),
    "CheckpointLoaderSimple": ([], ["MODEL", "CLIP", "VAE"]),
    "LoraLoaderModelOnly": (["model:MODEL"], ["MODEL"]),
    "Reroute": ([":*"], ["*"]),
    "KSampler": (
        ["model:MODEL", "positive:CONDITIONING", "negative:CONDITIONING", "latent_image:LATENT"],
        ["LATENT"],
    ),
    "KSamplerAdvanced": (
        ["model:MODEL", "positive:CONDITIONING", "negative:CONDITIONING", "latent_image:LATENT"],
        ["LATENT"],
    ),
    "BasicScheduler": (["model:MODEL"], ["SIGMAS"]),
    "SDTurboScheduler": (["model:MODEL"], ["SIGMAS"]),
    "BetaSamplingScheduler": (["model:MODEL"], ["SIGMAS"]),
    "AlignYourStepsScheduler": ([], ["SIGMAS"]),
    "Flux2Scheduler": ([], ["SIGMAS"]),
    "KarrasScheduler": ([], ["SIGMAS"]),
    "ManualSigmas": ([], ["SIGMAS"]),
    "SplitSigmas": (["sigmas:SIGMAS"], ["SIGMAS", "SIGMAS"]),
    "KSamplerSelect": ([], ["SAMPLER"]),
    "SamplerEulerAncestral": ([], ["SAMPLER"]),
    "CFGGuider": (["model:MODEL", "positive:CONDITIONING", "negative:CONDITIONING"], ["GUIDER"]),
    "BasicGuider": (["model:MODEL", "conditioning:CONDITIONING"], ["GUIDER"]),
    "RandomNoise": ([], ["NOISE"]),
    "SamplerCustom": (
        [
            "model:MODEL",
            "positive:CONDITIONING",
            "negative:CONDITIONING",
            "sampler:SAMPLER",
            "sigmas:SIGMAS",
            "latent_image:LATENT",
        ],
        ["LATENT", "LATENT"],
    ),
    "SamplerCustomAdvanced": (
        ["noise:NOISE", "guider:GUIDER", "sampler:SAMPLER", "sigmas:SIGMAS", "latent_image:LATENT"],
        ["LATENT", "LATENT"],
    ),
    "PrimitiveInt": ([], ["INT"]),
    "PrimitiveString": ([], ["STRING"]),
    "VAEDecode": (["samples:LATENT", "vae:VAE"], ["IMAGE"]),
    "ComfySwitchNode": (["on_false:MODEL", "on_true:MODEL"], ["MODEL"]),
    "UnknownSigmas": (["model:MODEL"], ["SIGMAS"]),
    "FaceDetailer": (["model:MODEL"], ["IMAGE"]),
}


class Graph:
    """Builds a graph node by node: `add(kind, values, model=port)` gives the node's id; a port is
    an id or (id, slot)."""

    def __init__(self, name: str | None = None):
        self.data = {
            "id": f"00000000-0000-4000-8000-{crc32(str(name).encode()):012d}",
            "revision": 0,
            "last_node_id": 0,
            "last_link_id": 0,
        }
        self.data |= {
            "nodes": [],
            "links": [],
            "groups": [],
            "config": {},
            "extra": {"ds": {"scale": 1.0, "offset": [0, 0.5]}},
            "version": 0.4,
        }
        self.name = name

    def add(self, kind: str, values: list | None = None, sockets=None, **fed) -> int:
        more = {key: fed.pop(key) for key in ("mode", "title", "color") if key in fed}
        ins, outs = sockets or SOCKETS[kind]
        node_id = self.data["last_node_id"] = self.data["last_node_id"] + 1
        inputs = [
            dict(zip(("name", "type"), entry.split(":"), strict=True)) | {"link": None}
            for entry in ins
        ]
        known = {entry["name"] for entry in inputs}
        inputs += [
            {"name": name, "type": "*", "widget": {"name": name}, "link": None}
            for name in fed
            if name not in known
        ]
        node = {
            "id": node_id,
            "type": kind,
            "pos": [100 * node_id, 50.5],
            "size": [270, 200],
            "flags": {},
            "order": node_id,
            "mode": 0,
        }
        node |= {
            "inputs": inputs,
            "outputs": [{"name": each, "type": each, "links": None} for each in outs],
        }
        node |= {
            "properties": {"cnr_id": "comfy-core", "ver": "0.3.64", "Node name for S&R": kind},
            "widgets_values": values or [],
        } | more
        self.data["nodes"].append(node)
        for name, port in fed.items():
            self.link(port, node_id, name)
        return node_id

    def node(self, node_id: int) -> dict:
        return next(node for node in self.data["nodes"] if node["id"] == node_id)

    def link(self, port, target: int, name: str) -> int:
        origin, slot = port if isinstance(port, tuple) else (port, 0)
        inputs = self.node(target)["inputs"]
        at = next(k for k, entry in enumerate(inputs) if entry["name"] == name)
        link_id = self.data["last_link_id"] = self.data["last_link_id"] + 1
        if origin == -10:
            kind = self.data["inputs"][slot]["type"]
            self.data["inputs"][slot]["linkIds"].append(link_id)
        else:
            output = self.node(origin)["outputs"][slot]
            kind, output["links"] = output["type"], (output["links"] or []) + [link_id]
        inputs[at]["link"] = link_id
        self.data["links"].append([link_id, origin, slot, target, at, kind])
        return link_id

    def as_subgraph(self, outputs: dict[str, tuple[int, int]] | None = None) -> dict:
        """The same as the definition of a subgraph; outputs: {name: port}."""
        data = copy.deepcopy(self.data)
        keys = ("id", "origin_id", "origin_slot", "target_id", "target_slot", "type")
        links = [dict(zip(keys, row, strict=True)) for row in data.pop("links")]
        made = []
        for k, (name, (origin, slot)) in enumerate((outputs or {}).items()):
            data["last_link_id"] += 1
            kind = self.node(origin)["outputs"][slot]["type"]
            links.append(
                dict(zip(keys, (data["last_link_id"], origin, slot, -20, k, kind), strict=True))
            )
            made.append(
                {"id": f"out-{k}", "name": name, "type": kind, "linkIds": [data["last_link_id"]]}
            )
        state = {
            "lastGroupId": 0,
            "lastNodeId": data.pop("last_node_id"),
            "lastLinkId": data.pop("last_link_id"),
            "lastRerouteId": 0,
        }
        return data | {
            "name": self.name,
            "state": state,
            "inputNode": {"id": -10},
            "outputNode": {"id": -20},
            "outputs": made,
            "links": links,
        }


def inner(name: str, inputs: dict[str, str]) -> Graph:
    """A graph that becomes a subgraph: its inputs are fed from port (-10, k)."""
    graph = Graph(name)
    graph.data["inputs"] = [
        {"id": f"in-{k}", "name": key, "type": kind, "linkIds": []}
        for k, (key, kind) in enumerate(inputs.items())
    ]
    return graph


def plain(
    steps: int = 20,
    cfg: float = 7.0,
    sampler: str = "dpmpp_2m",
    scheduler: str = "karras",
    denoise: float = 1.0,
    file: str = "photo.safetensors",
):
    """Loader -> KSampler -> decode. The sampler is node 2."""
    graph = Graph()
    graph.add("CheckpointLoaderSimple", [file])
    graph.add(
        "KSampler", [952805179515179, "randomize", steps, cfg, sampler, scheduler, denoise], model=1
    )
    graph.add("VAEDecode", samples=2, vae=(1, 2))
    return graph


def advanced(sigmas: str, values: list, sampler: str = "euler", cfg: float = 3.5, **fed) -> Graph:
    """A SamplerCustomAdvanced (node 6) with sigmas from node 5, of the given kind."""
    graph = Graph()
    graph.add("UNETLoader", ["flux1-dev.safetensors", "default"])
    graph.add("CFGGuider", [cfg], model=1)
    graph.add("KSamplerSelect", [sampler])
    graph.add("RandomNoise", [5, "fixed"])
    graph.add(
        sigmas,
        values,
        **({"model": 1} if any(each.startswith("model") for each in SOCKETS[sigmas][0]) else {}),
        **fed,
    )
    graph.add("SamplerCustomAdvanced", noise=4, guider=2, sampler=3, sigmas=5)
    return graph


def prompt() -> dict:
    """A prompt in the API format with a KSampler ("3") and a SamplerCustomAdvanced ("9") fed by
    Flux2Scheduler ("8")."""
    return {
        "4": {
            "inputs": {"ckpt_name": "photo.safetensors"},
            "class_type": "CheckpointLoaderSimple",
            "_meta": {"title": "Load"},
        },
        "3": {
            "inputs": {
                "seed": 18446744073709551615,
                "steps": 20,
                "cfg": 7.0,
                "sampler_name": "dpmpp_2m",
                "scheduler": "karras",
                "denoise": 1.0,
                "model": ["4", 0],
                "positive": ["6", 0],
                "negative": ["6", 0],
                "latent_image": ["5", 0],
            },
            "class_type": "KSampler",
            "_meta": {"title": "KSampler"},
        },
        "5": {
            "inputs": {"width": 512, "height": 512, "batch_size": 1},
            "class_type": "EmptyLatentImage",
        },
        "6": {"inputs": {"text": "", "clip": ["4", 1]}, "class_type": "CLIPTextEncode"},
        "7": {
            "inputs": {"model": ["4", 0], "positive": ["6", 0], "negative": ["6", 0], "cfg": 3.5},
            "class_type": "CFGGuider",
        },
        "8": {
            "inputs": {"steps": 20, "width": ["5", 0], "height": 1024},
            "class_type": "Flux2Scheduler",
        },
        "9": {
            "inputs": {
                "noise": ["11", 0],
                "guider": ["7", 0],
                "sampler": ["10", 0],
                "sigmas": ["8", 0],
                "latent_image": ["5", 0],
            },
            "class_type": "SamplerCustomAdvanced",
        },
        "10": {"inputs": {"sampler_name": "euler"}, "class_type": "KSamplerSelect"},
        "11": {"inputs": {"noise_seed": 1}, "class_type": "RandomNoise"},
        "12": {"inputs": {"samples": ["3", 0], "vae": ["4", 2]}, "class_type": "VAEDecode"},
    }


def record(
    steps=(4, 6, 8, 20), samplers=("euler", "dpmpp_2m"), starts=(1.0,), cfg: float | None = None
) -> Record:
    """A record of a flow model with shift 3; dpmpp_2m has the smaller errors."""
    recipes = [
        Recipe(
            name,
            n,
            start,
            np.linspace(start, 0, n + 1) ** 1.3 / start**0.3,
            evidence={"rms": 0.1 if name == "euler" else 0.05},
        )
        for name in samplers
        for n in steps
        for start in starts
    ]
    conditions = Conditions(name="photo", cfg=cfg, shift=3.0)
    provenance = {"version": "0.1.0", "created": now(), "model_calls": 0}
    return Record(
        Model.of(conditions, "flow", 0.003, 1.0), conditions, None, recipes, {}, provenance
    )
