"""The full engine: the networks as torch modules. The only part of the model that imports torch, with official/."""
