"""What both trainings use, in torch's words: devices, processes, optimisers, checkpoints, interruptions, memory."""
