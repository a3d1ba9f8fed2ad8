"""Expression labels from 68 landmarks by Eq. (2) of Chang et al. 2018, and training on them."""
