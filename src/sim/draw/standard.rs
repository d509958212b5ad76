//! The standard distributions.
//!
//! Of our own, since those of `rand_distr` use the logarithm of the platform as soon as any crate of the program asks
//! `num-traits` for `std`. Normal and exponential draws are quantiles of one uniform draw.

use rand::Rng;

/// Between 0 and 1, never either of them.
#[inline]
pub(in crate::sim) fn uniform(random: &mut impl Rng) -> f64 {
    const STEP: f64 = 1.0 / (1_u64 << 52) as f64;
    ((random.next_u64() >> 12) as f64 + 0.5) * STEP
}

/// Exponential with mean 1.
#[inline]
pub(in crate::sim) fn exponential(random: &mut impl Rng) -> f64 {
    -libm::log(uniform(random))
}

/// Normal with mean 0 and standard deviation 1.
#[inline]
pub(super) fn normal(random: &mut impl Rng) -> f64 {
    normal_quantile(uniform(random))
}

/// Gamma with scale 1, by Marsaglia and Tsang (2000). `shape` is positive and finite.
pub(super) fn gamma(shape: f64, random: &mut impl Rng) -> f64 {
    if shape < 1.0 {
        let boost = libm::exp(libm::log(uniform(random)) / shape);
        return gamma(shape + 1.0, random) * boost;
    }
    let d = shape - 1.0 / 3.0;
    let c = 1.0 / (9.0 * d).sqrt();
    loop {
        let x = normal(random);
        let root = 1.0 + c * x;
        if root <= 0.0 {
            continue;
        }
        let v = root * root * root;
        let u = uniform(random);
        let square = x * x;
        if u < 1.0 - 0.0331 * square * square || libm::log(u) < 0.5 * square + d * (1.0 - v + libm::log(v)) {
            return d * v;
        }
    }
}

/// The standard normal distribution function.
pub(super) fn normal_cdf(x: f64) -> f64 {
    0.5 * libm::erfc(-x * std::f64::consts::FRAC_1_SQRT_2)
}

/// The inverse of the standard normal distribution function for `p` between 0 and 1: algorithm AS 241 (Wichura 1988),
/// PPND16, with a relative error of about 1e-16.
#[inline]
pub(super) fn normal_quantile(p: f64) -> f64 {
    let q = p - 0.5;
    if q.abs() <= 0.425 {
        let r = 0.180_625 - q * q;
        return q * polynomial(&CENTRE.0, r) / polynomial(&CENTRE.1, r);
    }
    let tail = (-libm::log(if q < 0.0 { p } else { 1.0 - p })).sqrt();
    let (shift, (above, below)) = if tail <= 5.0 { (1.6, &NEAR) } else { (5.0, &FAR) };
    let x = polynomial(above, tail - shift) / polynomial(below, tail - shift);
    if q < 0.0 { -x } else { x }
}

type Fraction = ([f64; 8], [f64; 8]);

/// By the power of `r`, the lowest first.
#[inline]
fn polynomial(coefficients: &[f64; 8], r: f64) -> f64 {
    coefficients.iter().rev().fold(0.0, |sum, it| sum * r + it)
}

// As printed by Wichura.
#[rustfmt::skip]
const CENTRE: Fraction = (
    [
        3.387_132_872_796_366_6, 1.331_416_678_917_843_8e2, 1.971_590_950_306_551_3e3, 1.373_169_376_550_946e4,
        4.592_195_393_154_987e4, 6.726_577_092_700_87e4, 3.343_057_558_358_813e4, 2.509_080_928_730_122_7e3,
    ],
    [
        1.0, 4.231_333_070_160_091e1, 6.871_870_074_920_579e2, 5.394_196_021_424_751e3,
        2.121_379_430_158_659_7e4, 3.930_789_580_009_271e4, 2.872_908_573_572_194_3e4, 5.226_495_278_852_854e3,
    ],
);
#[rustfmt::skip]
const NEAR: Fraction = (
    [
        1.423_437_110_749_683_5, 4.630_337_846_156_546, 5.769_497_221_460_691, 3.647_848_324_763_204_5,
        1.270_458_252_452_368_4, 2.417_807_251_774_506e-1, 2.272_384_498_926_918_4e-2, 7.745_450_142_783_414e-4,
    ],
    [
        1.0, 2.053_191_626_637_759, 1.676_384_830_183_803_8, 6.897_673_349_851e-1,
        1.481_039_764_274_800_8e-1, 1.519_866_656_361_645_7e-2, 5.475_938_084_995_345e-4, 1.050_750_071_644_416_9e-9,
    ],
);
#[rustfmt::skip]
const FAR: Fraction = (
    [
        6.657_904_643_501_103, 5.463_784_911_164_114, 1.784_826_539_917_291_3, 2.965_605_718_285_048_7e-1,
        2.653_218_952_657_612_4e-2, 1.242_660_947_388_078_4e-3, 2.711_555_568_743_487_6e-5, 2.010_334_399_292_288_1e-7,
    ],
    [
        1.0, 5.998_322_065_558_88e-1, 1.369_298_809_227_358e-1, 1.487_536_129_085_061_5e-2,
        7.868_691_311_456_133e-4, 1.846_318_317_510_054_7e-5, 1.421_511_758_316_446e-7, 2.044_263_103_389_939_8e-15,
    ],
);
