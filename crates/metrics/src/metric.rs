//! The metrics: one table, a row each.
//!
//! Some compare codes, others dense vectors; one stands for what a function of the caller's computes. All metrics of codes look
//! at the common prefix only: `m` is the smaller of the two lengths in bytes. Over codes of mixed lengths none is a metric in
//! the mathematical sense (a short code is at distance 0 from every code that it is a prefix of), so no search prunes by the
//! triangle inequality.
//!
//! A new metric of codes needs a number and a row here, its distance in [`distance`](mod@crate::distance), and its kernel in
//! `bits::measure`. One whose distances are neither fractions nor numbers of bits also needs a kind of keys of its own, `Keys`.
//! A new metric of dense vectors needs a number and a row here, and its kernels in `dense::measure`. SQL gets to know a metric
//! by a function, an info function, an operator and an operator class, in both scripts of `sql/`.

/// How two values are compared.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum Metric {
    /// Normalized prefix Hamming distance: differing bits over the common prefix, divided by its bits.
    Nphd = 0,
    /// Jaccard distance of the sets of one bits, over the common prefix.
    Jaccard = 1,
    /// Number of differing bits over the common prefix.
    Hamming = 2,
    /// 1 − the cosine of the angle between two vectors.
    Cosine = 3,
    /// The inner product of two vectors, with the sign turned: the greater the product, the nearer.
    InnerProduct = 4,
    /// Length of the difference of two vectors.
    L2 = 5,
    /// Sum of the differences of two vectors, each without its sign.
    L1 = 6,
    /// Sørensen-Dice distance of the sets of one bits, over the common prefix.
    Sorensen = 7,
    /// 1 − Pearson's correlation of the numbers of two vectors.
    Pearson = 8,
    /// Jensen-Shannon divergence of two vectors of weights, none of which is negative, in nats.
    JensenShannon = 9,
    /// Angle of the arc, in radians, between two points on a sphere: latitude and longitude, in degrees.
    Haversine = 10,
    /// Whatever a function of the caller's computes.
    User = 255,
}

/// A metric of codes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum BitMetric {
    /// [`Metric::Nphd`].
    Nphd = 0,
    /// [`Metric::Jaccard`].
    Jaccard = 1,
    /// [`Metric::Hamming`].
    Hamming = 2,
    /// [`Metric::Sorensen`].
    Sorensen = 3,
}

/// A metric of dense vectors.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum DenseMetric {
    /// [`Metric::Cosine`].
    Cosine = 0,
    /// [`Metric::InnerProduct`].
    InnerProduct = 1,
    /// [`Metric::L2`].
    L2 = 2,
    /// [`Metric::L1`].
    L1 = 3,
    /// [`Metric::Pearson`].
    Pearson = 4,
    /// [`Metric::JensenShannon`].
    JensenShannon = 5,
    /// [`Metric::Haversine`].
    Haversine = 6,
}

/// What values a metric takes, and which of their metrics it is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Values {
    /// Codes: byte strings of any length.
    Codes(BitMetric),
    /// Vectors of numbers, all of the same dimensions.
    Dense(DenseMetric),
    /// Whatever the caller's function takes.
    Opaque,
}

/// How a metric of codes makes keys of its distances.
#[derive(Clone, Copy)]
pub(crate) enum Keys {
    /// Of a fraction from 0 to 1: the fraction.
    Fraction,
    /// Of a number of bits, which has no upper bound: a fraction that grows with it.
    Count,
}

/// What there is to know about a metric.
struct Row {
    metric: Metric,
    name: &'static str,
    /// USearch's letter for it in a file.
    letter: u8,
    values: Values,
}

const TABLE: &[Row] = &[
    Row {
        metric: Metric::Nphd,
        name: "nphd",
        letter: b'n',
        values: Values::Codes(BitMetric::Nphd),
    },
    Row {
        metric: Metric::Jaccard,
        name: "jaccard",
        letter: b't',
        values: Values::Codes(BitMetric::Jaccard),
    },
    Row {
        metric: Metric::Hamming,
        name: "hamming",
        letter: b'b',
        values: Values::Codes(BitMetric::Hamming),
    },
    Row {
        metric: Metric::Cosine,
        name: "cosine",
        letter: b'c',
        values: Values::Dense(DenseMetric::Cosine),
    },
    Row {
        metric: Metric::InnerProduct,
        name: "ip",
        letter: b'i',
        values: Values::Dense(DenseMetric::InnerProduct),
    },
    Row {
        metric: Metric::L2,
        name: "l2",
        letter: b'e',
        values: Values::Dense(DenseMetric::L2),
    },
    Row {
        metric: Metric::L1,
        name: "l1",
        letter: b'm',
        values: Values::Dense(DenseMetric::L1),
    },
    Row {
        metric: Metric::Sorensen,
        name: "sorensen",
        letter: b's',
        values: Values::Codes(BitMetric::Sorensen),
    },
    Row {
        metric: Metric::Pearson,
        name: "pearson",
        letter: b'p',
        values: Values::Dense(DenseMetric::Pearson),
    },
    Row {
        metric: Metric::JensenShannon,
        name: "jensen_shannon",
        letter: b'd',
        values: Values::Dense(DenseMetric::JensenShannon),
    },
    Row {
        metric: Metric::Haversine,
        name: "haversine",
        letter: b'h',
        values: Values::Dense(DenseMetric::Haversine),
    },
];

/// What there is to know about the caller's own metric.
const USER: Row = Row {
    metric: Metric::User,
    name: "user",
    // USearch's letter for a metric that it does not know.
    letter: 0,
    values: Values::Opaque,
};

impl Metric {
    /// Number of metrics that this crate computes.
    pub const COUNT: usize = TABLE.len();

    const fn row(self) -> &'static Row {
        match self {
            Self::User => &USER,
            _ => &TABLE[self as usize],
        }
    }

    /// All metrics that this crate computes, by number.
    pub fn all() -> impl Iterator<Item = Metric> {
        TABLE.iter().map(|row| row.metric)
    }

    /// The metrics of codes, by number.
    pub fn of_codes() -> impl Iterator<Item = Metric> {
        Self::all().filter(|metric| matches!(metric.values(), Values::Codes(_)))
    }

    /// The number that stands for the metric on disk.
    pub const fn number(self) -> u8 {
        self as u8
    }

    /// The metric with this number.
    pub fn of_number(number: u8) -> Option<Metric> {
        match number {
            n if n == Self::User.number() => Some(Self::User),
            _ => TABLE.get(usize::from(number)).map(|row| row.metric),
        }
    }

    /// The name in SQL.
    pub const fn name(self) -> &'static str {
        self.row().name
    }

    /// The letter that USearch has for it; NPHD and L1 (Manhattan) are none of its metrics, and 0 stands
    /// for the caller's own.
    pub const fn letter(self) -> u8 {
        self.row().letter
    }

    /// What values the metric takes.
    pub const fn values(self) -> Values {
        self.row().values
    }

    /// The metric of dense vectors that this is; None for one of codes.
    pub const fn dense(self) -> Option<DenseMetric> {
        match self.values() {
            Values::Dense(metric) => Some(metric),
            Values::Codes(_) | Values::Opaque => None,
        }
    }

    /// The metric of codes that this is. The metrics of dense vectors are not meant for codes; there they count differing
    /// bits (as L1 does over ones and zeros), so that nothing can go wrong.
    #[inline(always)]
    pub(crate) const fn bits(self) -> BitMetric {
        match self.values() {
            Values::Codes(metric) => metric,
            Values::Dense(_) | Values::Opaque => BitMetric::Hamming,
        }
    }
}

impl BitMetric {
    /// Number of metrics of codes.
    pub const COUNT: usize = COUNTS.0;

    pub(crate) const fn keys(self) -> Keys {
        match self {
            Self::Nphd | Self::Jaccard | Self::Sorensen => Keys::Fraction,
            Self::Hamming => Keys::Count,
        }
    }
}

impl DenseMetric {
    /// Number of metrics of dense vectors.
    pub const COUNT: usize = COUNTS.1;

    /// All of them, by number.
    pub fn all() -> impl Iterator<Item = DenseMetric> {
        TABLE.iter().filter_map(|row| row.metric.dense())
    }

    /// The name in SQL.
    pub const fn name(self) -> &'static str {
        self.metric().name()
    }

    /// The metric in the table of all.
    pub const fn metric(self) -> Metric {
        match self {
            Self::Cosine => Metric::Cosine,
            Self::InnerProduct => Metric::InnerProduct,
            Self::L2 => Metric::L2,
            Self::L1 => Metric::L1,
            Self::Pearson => Metric::Pearson,
            Self::JensenShannon => Metric::JensenShannon,
            Self::Haversine => Metric::Haversine,
        }
    }

    /// Whether only the direction of a vector counts, or that of its deviations from the mean: some vectors have none.
    pub const fn is_angular(self) -> bool {
        matches!(self, Self::Cosine | Self::Pearson)
    }

    /// The number of dimensions that vectors must have; None if any will do.
    pub const fn dimensions(self) -> Option<usize> {
        match self {
            Self::Haversine => Some(2),
            _ => None,
        }
    }

    /// Whether vectors may have this many dimensions.
    pub fn takes(self, dimensions: usize) -> bool {
        self.dimensions().is_none_or(|number| number == dimensions)
    }
}

/// How many metrics of codes and of dense vectors there are. Rows stand in the order of their numbers, of all metrics and of
/// those of a kind.
const COUNTS: (usize, usize) = {
    let (mut number, mut codes, mut dense) = (0, 0, 0);
    while number < TABLE.len() {
        let row = &TABLE[number];
        assert!(row.metric as usize == number);
        match row.values {
            Values::Codes(metric) => {
                assert!(metric as usize == codes);
                codes += 1;
            }
            Values::Dense(metric) => {
                assert!(metric as usize == dense);
                dense += 1;
            }
            Values::Opaque => panic!("the caller's own metric is not in the table"),
        }
        number += 1;
    }
    (codes, dense)
};
