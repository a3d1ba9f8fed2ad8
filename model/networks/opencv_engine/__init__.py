"""The open networks run by OpenCV's DNN alone: without torch, and always for FinderNet, which runs faster here."""
