"""``expnet research stress``: stress of recorded people, as in Table IV of DeepExp3D (Koujan et al., FG 2020)."""
