"""Training on several workers: processes on this machine, or the pods of a Kubeflow Trainer job."""

MISTAKE = 2  # exit status of a worker: the user's mistake, of which the job's folder has the message
LOST = 75  # exit status of a worker: another one was lost, and all of them have to be started again
