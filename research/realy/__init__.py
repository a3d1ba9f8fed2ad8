"""``expnet research realy``: the regional error of reconstructed heads against scans, as REALY measures it."""
