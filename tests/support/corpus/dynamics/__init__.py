"""What vibrations and electric fields print beside the modes at Γ."""
