"""Files made once and kept in the user's folder: converted face models, and maps between expression bases."""
