"""Estimates with intervals, from arrays and counts; no files, no domain words.

Where is what? Each function takes its method by name, and gives back an `Estimate` (value, interval, n, method) or an
`Outcome` (statistic, p, effect with interval).

=====================================  =================================================================================
share, joint shares, median            `intervals`: compute_share, compute_joint_share, compute_median_position
Likert mean, median, top box (BCa)     `bootstrap`: compute_likert_summary, bootstrap_counts, bootstrap_rows
share against a fixed one              `share_test`: share_test
goodness of fit, Cohen's w             `goodness`: goodness_of_fit_test, compute_cohens_w
contingency table, Cramér's V, odds    `contingency`: independence_test, compute_cramers_v, compute_odds_ratio
McNemar, Cochran's Q                   `matched`: mcnemar_test, cochran_q_test, compare_pairs_mcnemar
Mann–Whitney, Hodges–Lehmann shift     `ranks`: mann_whitney_test, hodges_lehmann_shift
Cliff's delta, Vargha–Delaney A        `dominance`: compute_cliffs_delta, compute_vargha_delaney
Kruskal–Wallis, epsilon², Dunn         `rank_groups`: kruskal_wallis_test, compute_epsilon_squared, compare_pairs_dunn
Friedman, Kendall's W                  `rank_groups`: friedman_test, compute_kendalls_w
signed ranks, rank-biserial            `signed_ranks`: wilcoxon_signed_rank_test, compute_rank_biserial
Spearman's rho, Kendall's tau-b        `correlation`: compute_spearman, spearman_test, compute_kendall, kendall_test
polychoric, tetrachoric correlation    `polychoric`: fit_polychoric
ordinal and multinomial regression     `regression`: fit_ordinal, fit_multinomial
proportional odds                      `proportional_odds`: brant_test, parallel_likelihood_ratio_test
alpha, omega                           `reliability`: compute_alpha, compute_alpha_without_items, compute_omega
ICC, six forms                         `icc`: compute_icc
Cohen, Fleiss, Gwet's AC1, agreement   `agreement`: compute_cohen_kappa, compute_fleiss_kappa, compute_gwet_ac
Krippendorff's alpha                   `krippendorff_alpha`: compute_krippendorff_alpha
Holm, Benjamini–Hochberg               `multiplicity`: adjust
power and sample size                  `power`: needed_n, detectable_effect, power_share, power_mann_whitney, …
precision                              `precision`: needed_n_for_share, needed_n_for_alpha
equivalence (TOST)                     `equivalence`: tost_means, tost_medians, tost_correlation, …
equivalence of shares                  `equivalence_shares`: tost_shares, tost_paired_shares
weighted share and mean                `weighted`: compute_weighted_share, compute_weighted_mean
bounds for non-response                `selection`: bound_share, tipping_ratio
=====================================  =================================================================================

What holds everywhere:

ties
    take mid-ranks; variances are corrected for them, exact p-values are those of the tied ranks. A continuity
    correction is a method of its own (``asymptotic-corrected``), never silent.
empty categories
    count in shares and summaries (they were on offer); rows and columns of a table that nobody chose are left out of
    tests and the method says so.
constant columns
    have no correlation or reliability and are refused; a rank test of equal values has p = 1, and its method says why.
missing values
    are refused, unless the function has a ``missing`` rule (listwise, pairwise) or is made for them (codings).
weights
    counts are of people and must be whole; sampling weights belong into `weighted`.
"""
