"""The networks: what they are shown and what they say, run by torch or by OpenCV's DNN, and their weights."""
