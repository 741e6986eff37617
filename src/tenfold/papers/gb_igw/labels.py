"""Names, colours and axis labels that all figures of this paper share."""

from __future__ import annotations

from tenfold.book.style import BLACK, BLUE, GREEN, GREY, ORANGE, PURPLE, SKY, VERMILLION

ARRAY = {
    "ng15_hd": "NANOGrav 15 yr",
    "ng15_cp": "NANOGrav 15 yr, uncorrelated",
    "ng15_hd_dmgp": "NANOGrav 15 yr, DM GP",
    "ng15_hdmpdp": "NANOGrav 15 yr, HD+MP+DP",
    "epta_dr2new_hd": "EPTA DR2",
    "ppta_dr3_hd": "PPTA DR3",
    "ipta_dr2_cp": "IPTA DR2",
    "sim51": "sim51 (public injection)",
}
ARRAY_COLOUR = {
    "ng15_hd": BLUE,
    "epta_dr2new_hd": ORANGE,
    "ppta_dr3_hd": GREEN,
    "ipta_dr2_cp": PURPLE,
    "ng15_cp": SKY,
    "ng15_hd_dmgp": VERMILLION,
    "ng15_hdmpdp": BLACK,
}
MODEL = {
    "power_law_13_3": r"power law, $\gamma=13/3$",
    "power_law": "power law",
    "smbhb": "binaries, Gaussian prior",
    "turnover": "binaries with turnover",
    "igw": r"IGW ($n_t, r, T_{\rm rh}$)",
    "gb1_log": r"GB-I, log $|1-\alpha|$",
    "gb1_linear": r"GB-I, uniform $\alpha$",
    "gb2": "GB-II, hyperbolic",
    "gb3": "GB-III, exponential",
    "sfsr": "standard slow roll",
    "igw_smbhb": "IGW + binaries",
}
MODEL_COLOUR = {"gb1_log": VERMILLION, "gb1_linear": SKY, "igw": BLUE, "power_law": GREY, "sfsr": BLACK, "gb2": GREEN}
AXIS = {
    "n": r"$n$",
    "N": r"$N$",
    "alpha": r"$\alpha$",
    "log10_delta": r"$\log_{10}|1-\alpha|$",
    "log10_T_rh": r"$\log_{10}(T_{\rm rh}/{\rm GeV})$",
    "log10_r": r"$\log_{10} r$",
    "n_s": r"$n_s$",
    "n_t": r"$n_T$",
    "log10_A": r"$\log_{10} A$",
    "gamma": r"$\gamma$",
}
FREQUENCY = "frequency $f$ [Hz]"
LOG_OMEGA = r"$\log_{10} h^2\Omega_{\rm GW}$"
