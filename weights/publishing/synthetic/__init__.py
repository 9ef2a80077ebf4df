"""Make checkpoints of random numbers in the real layouts, to try the portal with.

Names, shapes and types of the tensors are those of OPT; the values are pseudo-random and
nothing was trained. The same seed gives the same bytes on any machine. Every file that can
say so does: card, configuration, and the metadata inside each weight file.
"""

from weights.publishing.synthetic.hub import write_hub_checkpoint
from weights.publishing.synthetic.metaseq import write_metaseq_checkpoint

__all__ = ["write_hub_checkpoint", "write_metaseq_checkpoint"]
