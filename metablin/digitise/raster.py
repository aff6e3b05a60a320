def picture_panels(d,h): return d,[]
def raster_curves(*a): return [],[]
def rising_pixels(*a): return False
