"""ComfyUI's door to StepDistill: the nodes, the web extension, and the two dropdown entries.
Importable without ComfyUI."""

if __package__:  # as ComfyUI loads it: a package named by its folder
    from .nodes import NODE_CLASS_MAPPINGS, NODE_DISPLAY_NAME_MAPPINGS
    from .nodes.dropdowns import register as dropdown
    from .nodes.server import queued, routes

    dropdown.register()
    routes.register()
    queued.register()
else:
    NODE_CLASS_MAPPINGS, NODE_DISPLAY_NAME_MAPPINGS = {}, {}

WEB_DIRECTORY = "./web"

__all__ = ["NODE_CLASS_MAPPINGS", "NODE_DISPLAY_NAME_MAPPINGS", "WEB_DIRECTORY"]
