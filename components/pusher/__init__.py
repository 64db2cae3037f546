"""Push a blessed model, complete or not at all."""
