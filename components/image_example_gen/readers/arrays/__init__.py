"""Read files with arrays of pictures: IDX, NumPy, MATLAB and HDF5. One rule identifies pictures and labels in all of them."""
