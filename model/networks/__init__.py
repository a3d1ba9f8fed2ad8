"""The networks: inputs, outputs, weights, and the two engines that run them (torch and OpenCV's DNN)."""
