"""Files that hold pictures as arrays: IDX, NumPy's, MATLAB's and HDF5. Which array is what is one rule for all of them."""
