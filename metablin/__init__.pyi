# The one list of public names: what is written here is what `import metablin` offers, and where
# each name is found when it is first used (metablin/__init__.py reads this file).
from metablin.certainty import absolute_effect as absolute_effect
from metablin.certainty import absolute_effect_arms as absolute_effect_arms
from metablin.certainty import grade as grade
from metablin.certainty import probability_beyond as probability_beyond
from metablin.certainty import risk_of_bias as risk_of_bias
from metablin.certainty import summary_of_findings as summary_of_findings
from metablin.datasets import load as load
from metablin.datasets import tables as tables
from metablin.datasets import trace as trace
from metablin.datasets import validate as validate
from metablin.effects import EffectSizes as EffectSizes
from metablin.effects import exact_intervals as exact_intervals
from metablin.effects import generic as generic
from metablin.effects import hazard_ratios as hazard_ratios
from metablin.effects import hazard_ratios_reported as hazard_ratios_reported
from metablin.effects import log_effects as log_effects
from metablin.effects import mean_differences as mean_differences
from metablin.effects import proportions as proportions
from metablin.effects import rate_contrasts as rate_contrasts
from metablin.effects import rates as rates
from metablin.effects import two_by_two as two_by_two
from metablin.errors import ConvergenceError as ConvergenceError
from metablin.errors import ConvergenceWarning as ConvergenceWarning
from metablin.errors import DataError as DataError
from metablin.errors import MetablinWarning as MetablinWarning
from metablin.meta import MetaFit as MetaFit
from metablin.meta import pool as pool
from metablin.meta import pool_many as pool_many
from metablin.meta.checks.baujat import baujat as baujat
from metablin.meta.checks.bias import begg as begg
from metablin.meta.checks.bias import egger as egger
from metablin.meta.checks.bias import harbord as harbord
from metablin.meta.checks.bias import peters as peters
from metablin.meta.checks.gosh import gosh as gosh
from metablin.meta.checks.influence import influence as influence
from metablin.meta.checks.intervals import heterogeneity as heterogeneity
from metablin.meta.checks.permutation import permutation_test as permutation_test
from metablin.meta.checks.petpeese import pet_peese as pet_peese
from metablin.meta.checks.selection import selection_model as selection_model
from metablin.meta.checks.sequence import cumulative as cumulative
from metablin.meta.checks.sequence import leave_one_out as leave_one_out
from metablin.meta.checks.trimfill import trim_and_fill as trim_and_fill
from metablin.meta.clustered import clustered as clustered
from metablin.meta.cohorts import pool_cohorts as pool_cohorts
<<<<<<< HEAD
from metablin.meta.saved import load_fit as load_fit
=======
from metablin.meta.cohorts import pool_contrasts as pool_contrasts
>>>>>>> main
from metablin.network import Network as Network
from metablin.network import NetworkFit as NetworkFit
from metablin.network import network as network
from metablin.network import network_pool as network_pool
from metablin.reconstruct import PseudoIPD as PseudoIPD
from metablin.reconstruct import SummaryDraws as SummaryDraws
from metablin.reconstruct import reconstruct_km as reconstruct_km
from metablin.reconstruct import reconstruct_many as reconstruct_many
from metablin.reconstruct import reconstruct_summary as reconstruct_summary
from metablin.reconstruct import reconstruct_summary_pair as reconstruct_summary_pair
from metablin.survival import compare_parametric as compare_parametric
from metablin.survival import cox as cox
from metablin.survival import fit_parametric as fit_parametric
from metablin.survival import kaplan_meier as kaplan_meier
from metablin.survival import landmark_analysis as landmark_analysis
from metablin.survival import logrank as logrank
from metablin.survival import max_combo as max_combo
from metablin.survival import milestone_difference as milestone_difference
from metablin.survival import rmst as rmst
from metablin.survival import simon_makuch as simon_makuch

__version__: str
