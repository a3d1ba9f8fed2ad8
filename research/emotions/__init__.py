"""``expnet research emotions``: emotions from expression coefficients, as ExpNet and DeepExp3D measured them."""
