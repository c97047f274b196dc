"""How good a catalogue is: scores against a truth catalogue, matches of masks, figures; beside the pipeline."""
