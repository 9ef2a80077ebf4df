"""Writes checkpoints of pseudo-random numbers in OPT's layouts, for trying the portal.

Names, shapes and types of the tensors are OPT's. The same seed gives the same bytes on any
machine. Card, configuration and the metadata of each weight file say that they are synthetic.
"""

from weights.publishing.synthetic.hub import write_hub_checkpoint
from weights.publishing.synthetic.metaseq import write_metaseq_checkpoint

__all__ = ["write_hub_checkpoint", "write_metaseq_checkpoint"]
