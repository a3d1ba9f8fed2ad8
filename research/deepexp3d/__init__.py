"""``expnet research deepexp3d``: expressions of registered photographs by a ResNet-50 (Koujan et al., FG 2020)."""
