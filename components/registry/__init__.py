"""What runs on a cluster leave for the runs after them: pushed models and the statistics that passed, in numbered folders."""
