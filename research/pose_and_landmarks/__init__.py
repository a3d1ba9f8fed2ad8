"""Head pose and 68 landmarks in the field's terms: the protocols that AFLW2000-3D is used with."""
