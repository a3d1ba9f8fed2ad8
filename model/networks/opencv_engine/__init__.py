"""Our networks run by OpenCV's DNN alone: where there is no torch, and the finder always (it is faster so)."""
