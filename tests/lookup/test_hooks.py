"""What is hung into a model is named, the same in every session, and counts as a patch."""

from __future__ import annotations

from types import SimpleNamespace

from scheduler.lookup.hooks import hook_names, hook_patches


def rescale(arguments):
    return arguments


class FreeU:
    """A patch that is no function."""

    def __call__(self, h):
        return h


def test_context_windows_are_named_with_their_settings():
    def windows(length: int):
        schedule, fuse = SimpleNamespace(name="standard_uniform"), SimpleNamespace(name="pyramid")
        settings = {"context_length": length, "context_overlap": 5, "context_stride": 1}
        handler = SimpleNamespace(
            context_schedule=schedule, fuse_method=fuse, closed_loop=True, **settings
        )
        return hook_names({"context_handler": handler})

    assert windows(21) == ("context windows: standard_uniform pyramid 21/5/1 closed_loop",)
    assert windows(21) != windows(25)
    assert hook_names({"context_handler": None}) == ()


def test_every_place_is_looked_at():
    options = {
        "sampler_cfg_function": rescale,
        "sampler_post_cfg_function": [rescale, FreeU()],
        "model_function_wrapper": None,
        "disable_cfg1_optimization": True,
        "transformer_options": {
            "patches": {"output_block_patch": [FreeU()]},
            "patches_replace": {"attn2": {("middle", 0): rescale}},
            "sigmas": [1.0],
        },
    }
    assert hook_names(options, ["easycache", "stepdistill_guided", ("odd",)]) == (
        "attn2: rescale",
        "output_block_patch: FreeU",
        "sampler_cfg_function: rescale",
        "sampler_post_cfg_function: FreeU",
        "sampler_post_cfg_function: rescale",
        "wrapper: easycache",
    )


def test_nothing_is_hung_in():
    assert hook_names({}) == hook_names({"transformer_options": {}}) == ()
    assert hook_patches(()) == ()


def test_they_are_patches_of_strength_1():
    (made,) = hook_patches(["wrapper: easycache"])
    assert (made["name"], made["strength"]) == ("wrapper: easycache", 1.0)


def test_names_are_short():
    def long(arguments):
        return arguments

    long.__qualname__ = "x" * 500
    assert hook_names({"sampler_cfg_function": long}) == ("sampler_cfg_function: " + "x" * 120,)
