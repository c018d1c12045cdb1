//! The metric points of many requests, in columns: those that all kinds of points have, and each kind's own.

use crate::columns::{Dict, Offsets, Words};
use crate::lift::Lifts;
use crate::maps::Attributes;
use crate::metrics::exemplars::{Exemplars, ExemplarsMark};
use crate::sources::{Sources, SourcesMark};

/// The five kinds of points.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Gauge,
    Sum,
    Histogram,
    Exponential,
    Summary,
}

impl Kind {
    pub const ALL: [Self; 5] = [Self::Gauge, Self::Sum, Self::Histogram, Self::Exponential, Self::Summary];

    /// Its field in a metric.
    pub fn field(self) -> u32 {
        match self {
            Self::Gauge => 5,
            Self::Sum => 7,
            Self::Histogram => 9,
            Self::Exponential => 10,
            Self::Summary => 11,
        }
    }

    pub fn of(field: u32) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.field() == field)
    }
}

/// What the points of a metric of one source share.
pub struct Series {
    pub source: u32,
    pub name: u32,
    pub description: u32,
    pub unit: u32,
    pub temporality: i32,
    pub monotonic: bool,
    pub digest: u64,
}

pub struct Metrics {
    pub sources: Sources,
    /// What resources and scopes will take once they are repeated on every row.
    pub repeated: usize,
    pub series: Vec<Series>,
    pub names: Words,
    pub descriptions: Words,
    pub units: Words,
    pub gauges: Points,
    pub sums: Points,
    pub histograms: Points,
    pub exponentials: Points,
    pub summaries: Points,
}

impl Default for Metrics {
    fn default() -> Self {
        Self {
            sources: Sources::default(),
            repeated: 0,
            series: Vec::new(),
            names: Words::with_empty(),
            descriptions: Words::with_empty(),
            units: Words::with_empty(),
            gauges: Points::default(),
            sums: Points::default(),
            histograms: Points::default(),
            exponentials: Points::default(),
            summaries: Points::default(),
        }
    }
}

/// Lengths of everything, to go back to.
pub struct Mark {
    sources: SourcesMark,
    repeated: usize,
    series: usize,
    words: [u32; 3],
    points: [PointsMark; 5],
}

impl Metrics {
    pub fn points(&self) -> [&Points; 5] {
        [&self.gauges, &self.sums, &self.histograms, &self.exponentials, &self.summaries]
    }

    fn points_mut(&mut self) -> [&mut Points; 5] {
        [
            &mut self.gauges,
            &mut self.sums,
            &mut self.histograms,
            &mut self.exponentials,
            &mut self.summaries,
        ]
    }

    pub fn rows(&self) -> usize {
        self.points().map(Points::rows).iter().sum()
    }

    pub fn mark(&self) -> Mark {
        Mark {
            sources: self.sources.mark(),
            repeated: self.repeated,
            series: self.series.len(),
            words: [self.names.len(), self.descriptions.len(), self.units.len()],
            points: self.points().map(Points::mark),
        }
    }

    pub fn truncate(&mut self, mark: &Mark) {
        self.sources.truncate(&mark.sources);
        self.repeated = mark.repeated;
        self.series.truncate(mark.series);
        self.names.truncate(mark.words[0]);
        self.descriptions.truncate(mark.words[1]);
        self.units.truncate(mark.words[2]);
        for (points, mark) in self.points_mut().into_iter().zip(&mark.points) {
            points.truncate(mark);
        }
    }

    pub fn bytes(&self) -> usize {
        let words = self.names.bytes() + self.descriptions.bytes() + self.units.bytes();
        let shared = self.sources.bytes() + self.repeated + self.series.len() * size_of::<Series>();
        shared + words + self.points().map(Points::bytes).iter().sum::<usize>()
    }
}

/// The points of one kind. A column that the kind does not have stays empty.
#[derive(Default)]
pub struct Points {
    pub series: Vec<u32>,
    pub starts: Vec<i64>,
    pub times: Vec<i64>,
    pub flags: Vec<u32>,
    pub attributes: Attributes,
    pub lifts: Lifts,
    pub sessions: Dict,
    pub id_classes: Vec<u8>,
    pub arrivals: Vec<i64>,
    pub digests: Vec<u64>,
    pub exemplars: Exemplars,
    /// Value of a number, sum of all others.
    pub values: Vec<f64>,
    pub counts: Vec<u64>,
    pub least: Vec<f64>,
    pub greatest: Vec<f64>,
    pub scales: Vec<i32>,
    pub zeros: Vec<u64>,
    pub offsets: [Vec<i32>; 2],
    /// Counts of the buckets of a histogram; of the positive and of the negative ones of an exponential histogram.
    pub buckets: [Lists<u64>; 2],
    /// Bounds of buckets; quantiles, and their values.
    pub numbers: [Lists<f64>; 2],
}

pub struct PointsMark {
    rows: usize,
    attributes: (usize, u32),
    sessions: (usize, u32),
    exemplars: ExemplarsMark,
}

impl Points {
    pub fn rows(&self) -> usize {
        self.series.len()
    }

    fn mark(&self) -> PointsMark {
        PointsMark {
            rows: self.rows(),
            attributes: self.attributes.mark(),
            sessions: self.sessions.mark(),
            exemplars: self.exemplars.mark(),
        }
    }

    fn truncate(&mut self, mark: &PointsMark) {
        let rows = mark.rows;
        self.series.truncate(rows);
        self.flags.truncate(rows);
        self.id_classes.truncate(rows);
        self.scales.truncate(rows);
        self.attributes.truncate(mark.attributes);
        self.lifts.truncate(mark.attributes.1);
        self.sessions.truncate(mark.sessions);
        self.exemplars.truncate(&mark.exemplars);
        for column in [&mut self.starts, &mut self.times, &mut self.arrivals] {
            column.truncate(rows);
        }
        for column in [&mut self.digests, &mut self.counts, &mut self.zeros] {
            column.truncate(rows);
        }
        for column in [&mut self.values, &mut self.least, &mut self.greatest] {
            column.truncate(rows);
        }
        self.offsets.iter_mut().for_each(|column| column.truncate(rows));
        self.buckets.iter_mut().for_each(|lists| lists.truncate(rows));
        self.numbers.iter_mut().for_each(|lists| lists.truncate(rows));
    }

    fn bytes(&self) -> usize {
        let lists = self.buckets.iter().map(Lists::bytes).sum::<usize>() + self.numbers.iter().map(Lists::bytes).sum::<usize>();
        self.rows() * 96 + self.attributes.bytes() + self.sessions.bytes() + self.exemplars.bytes() + lists
    }
}

/// A column of lists of numbers.
#[derive(Default)]
pub struct Lists<T> {
    pub items: Vec<T>,
    pub ends: Offsets,
}

impl<T> Lists<T> {
    pub fn end(&mut self) {
        self.ends.push(self.items.len());
    }

    /// The items of the list under construction.
    pub fn open(&self) -> &[T] {
        &self.items[self.ends.last()..]
    }

    fn truncate(&mut self, rows: usize) {
        let rows = rows.min(self.ends.len());
        self.ends.truncate(rows);
        self.items.truncate(self.ends.last());
    }

    fn bytes(&self) -> usize {
        size_of_val(&*self.items) + self.ends.bytes()
    }
}
