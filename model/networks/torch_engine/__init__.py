"""The full engine: the networks as torch modules. Only this folder and official/ import torch within the model."""
