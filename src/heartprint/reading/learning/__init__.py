"""How the reader's network is trained: simulated pictures, what is true of them, and the loop."""
