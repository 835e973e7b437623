"""The engines that candidates are fitted with, one package each."""
