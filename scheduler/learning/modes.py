"""What an artist chooses: how a model is learnt where no recipe is known. Imports nothing, for hosts
list these at their start."""

FROM_PICTURES, NOW, OFF = "from my pictures", "now", "off"
MODES = (FROM_PICTURES, NOW, OFF)
