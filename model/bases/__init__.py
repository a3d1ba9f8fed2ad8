"""From one expression basis to another: two heads registered, a linear map fitted, and the map applied."""
