"""What both trainings use: devices, processes, memory."""
