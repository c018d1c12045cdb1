//! The five kinds of points.

use super::Request;
use super::columns::{Lists, Points, Series};
use super::numbers::{buckets, double, list_of, list_of_doubles, quantile, unzigzag, words};
use crate::bounds::Window;
use crate::digest;
use crate::lift::{Found, Plan, Reader};
use crate::maps::{MAX_ATTRIBUTES, store};
use crate::sources::Sources;
use crate::telling;
use crate::values::key_value;
use crate::wire::{Broken, Fields};

/// One point on its way into the columns: what every kind has.
struct Row<'r, 'a> {
    plan: &'r Plan,
    found: &'r mut Found<'a>,
    points: &'r mut Points,
    start: u64,
    time: u64,
    flags: u64,
    /// Digests: sums over attributes and exemplars.
    attributes: u64,
    exemplars: u64,
    position: usize,
}

/// What is known when a point ends.
struct Context<'r> {
    number: u32,
    series: &'r Series,
    sources: &'r Sources,
    window: &'r Window,
}

impl<'r, 'a> Row<'r, 'a> {
    fn open(plan: &'r Plan, found: &'r mut Found<'a>, points: &'r mut Points) -> Self {
        points.attributes.start();
        Self {
            plan,
            found,
            points,
            start: 0,
            time: 0,
            flags: 0,
            attributes: 0,
            exemplars: 0,
            position: 0,
        }
    }

    /// An attribute is stored, and looked at for the id of a session.
    #[inline]
    fn attribute(&mut self, pair: &'a [u8]) -> Result<(), Broken> {
        let (key, value) = key_value(pair)?;
        let Points { attributes, lifts, .. } = &mut *self.points;
        let word = attributes.key(self.position, key);
        self.position += 1;
        if word >= lifts.known() {
            lifts.learn(self.plan, key, Reader::Points);
        }
        if !attributes.first(word) {
            return Ok(());
        }
        for entry in lifts.of(word) {
            self.found.take_id(self.plan, entry, key, &value);
        }
        if attributes.open() >= MAX_ATTRIBUTES {
            self.attributes = self.attributes.wrapping_add(digest::text(pair));
            return Ok(());
        }
        let start = attributes.values.values.len();
        store(attributes, word, &value)?;
        let written = &attributes.values.values[start..];
        self.attributes = self.attributes.wrapping_add(digest::attribute(key, &value, written));
        Ok(())
    }

    fn exemplar(&mut self, message: &[u8]) -> Result<(), Broken> {
        self.exemplars = self.exemplars.wrapping_add(self.points.exemplars.add(message)?);
        Ok(())
    }

    /// Ends the point; `own` is the digest of what only its kind has.
    fn end(self, context: &Context<'_>, own: u64) {
        let source = context.sources.get(context.series.source);
        let (id, class) = telling::session(self.found, self.plan, &source.owner);
        let points = self.points;
        points.series.push(context.number);
        points.starts.push(i64::try_from(self.start).unwrap_or(i64::MAX));
        points.times.push(context.window.clamp(self.time).0);
        points.flags.push(self.flags as u32);
        points.attributes.end();
        points.exemplars.end();
        points.sessions.push(&id);
        points.id_classes.push(class);
        points.arrivals.push(context.window.arrival);
        points.digests.push(digest::parts([
            context.series.digest,
            self.attributes,
            self.start,
            self.time,
            self.flags,
            self.exemplars,
            own,
        ]));
    }
}

/// The row of a point in these columns, and what is needed to end it.
macro_rules! open {
    ($self:ident, $series:ident, $points:ident) => {{
        let metrics = &mut *$self.metrics;
        let context = Context {
            number: $series,
            series: &metrics.series[$series as usize],
            sources: &metrics.sources,
            window: &$self.window,
        };
        (Row::open($self.plan, &mut $self.found, &mut metrics.$points), context)
    }};
}

impl<'a> Request<'a, '_> {
    pub(super) fn gauge(&mut self, series: u32, message: &'a [u8]) -> Result<(), Broken> {
        let (row, context) = open!(self, series, gauges);
        number(row, &context, message)
    }

    pub(super) fn sum(&mut self, series: u32, message: &'a [u8]) -> Result<(), Broken> {
        let (row, context) = open!(self, series, sums);
        number(row, &context, message)
    }

    pub(super) fn histogram(&mut self, series: u32, message: &'a [u8]) -> Result<(), Broken> {
        let (mut row, context) = open!(self, series, histograms);
        let (mut count, mut sum, mut least, mut greatest) = (0, 0.0, 0.0, 0.0);
        let mut fields = Fields::of(message);
        while let Some((number, value)) = fields.take()? {
            match number {
                2 => row.start = value.fixed64()?,
                3 => row.time = value.fixed64()?,
                4 => count = value.fixed64()?,
                5 => sum = double(value)?,
                6 => words(value, |word| row.points.buckets[0].items.push(word))?,
                7 => words(value, |word| row.points.numbers[0].items.push(f64::from_bits(word)))?,
                8 => row.exemplar(value.bytes()?)?,
                9 => row.attribute(value.bytes()?)?,
                10 => row.flags = value.varint()?,
                11 => least = double(value)?,
                12 => greatest = double(value)?,
                _ => {}
            }
        }
        let points = &mut *row.points;
        let lists = [list_of(points.buckets[0].open()), list_of_doubles(points.numbers[0].open())];
        points.buckets[0].end();
        points.numbers[0].end();
        spread(points, count, sum, least, greatest);
        let numbers = [sum, least, greatest].map(digest::number);
        row.end(
            &context,
            digest::parts([count, numbers[0], numbers[1], numbers[2], lists[0], lists[1]]),
        );
        Ok(())
    }

    pub(super) fn exponential(&mut self, series: u32, message: &'a [u8]) -> Result<(), Broken> {
        let (mut row, context) = open!(self, series, exponentials);
        let (mut count, mut sum, mut least, mut greatest) = (0, 0.0, 0.0, 0.0);
        let (mut scale, mut zeros, mut threshold, mut offsets) = (0, 0, 0, [0, 0]);
        let mut fields = Fields::of(message);
        while let Some((number, value)) = fields.take()? {
            match number {
                1 => row.attribute(value.bytes()?)?,
                2 => row.start = value.fixed64()?,
                3 => row.time = value.fixed64()?,
                4 => count = value.fixed64()?,
                5 => sum = double(value)?,
                6 => scale = unzigzag(value.varint()?),
                7 => zeros = value.fixed64()?,
                8 => buckets(value.bytes()?, &mut row.points.buckets[0], &mut offsets[0])?,
                9 => buckets(value.bytes()?, &mut row.points.buckets[1], &mut offsets[1])?,
                10 => row.flags = value.varint()?,
                11 => row.exemplar(value.bytes()?)?,
                12 => least = double(value)?,
                13 => greatest = double(value)?,
                14 => threshold = value.fixed64()?,
                _ => {}
            }
        }
        let points = &mut *row.points;
        let lists = [list_of(points.buckets[0].open()), list_of(points.buckets[1].open())];
        points.buckets.iter_mut().for_each(Lists::end);
        points.scales.push(scale);
        points.zeros.push(zeros);
        points.offsets[0].push(offsets[0]);
        points.offsets[1].push(offsets[1]);
        spread(points, count, sum, least, greatest);
        let numbers = [sum, least, greatest].map(digest::number);
        let places = [scale, offsets[0], offsets[1]].map(|place| place as u64);
        let whole = digest::parts([count, numbers[0], numbers[1], numbers[2], zeros, threshold]);
        row.end(
            &context,
            digest::parts([whole, places[0], places[1], places[2], lists[0], lists[1]]),
        );
        Ok(())
    }

    pub(super) fn summary(&mut self, series: u32, message: &'a [u8]) -> Result<(), Broken> {
        let (mut row, context) = open!(self, series, summaries);
        let (mut count, mut sum) = (0, 0.0);
        let mut fields = Fields::of(message);
        while let Some((number, value)) = fields.take()? {
            match number {
                2 => row.start = value.fixed64()?,
                3 => row.time = value.fixed64()?,
                4 => count = value.fixed64()?,
                5 => sum = double(value)?,
                6 => quantile(value.bytes()?, &mut row.points.numbers)?,
                7 => row.attribute(value.bytes()?)?,
                8 => row.flags = value.varint()?,
                _ => {}
            }
        }
        let points = &mut *row.points;
        let lists = [list_of_doubles(points.numbers[0].open()), list_of_doubles(points.numbers[1].open())];
        points.numbers.iter_mut().for_each(Lists::end);
        points.counts.push(count);
        points.values.push(sum);
        row.end(&context, digest::parts([count, digest::number(sum), lists[0], lists[1]]));
        Ok(())
    }
}

fn number<'a>(mut row: Row<'_, 'a>, context: &Context<'_>, message: &'a [u8]) -> Result<(), Broken> {
    let (mut number, mut told) = (0.0, [0, 0]);
    let mut fields = Fields::of(message);
    while let Some((field, value)) = fields.take()? {
        match field {
            2 => row.start = value.fixed64()?,
            3 => row.time = value.fixed64()?,
            4 => {
                number = double(value)?;
                told = [1, digest::number(number)];
            }
            5 => row.exemplar(value.bytes()?)?,
            6 => {
                let whole = value.fixed64()?;
                number = whole as i64 as f64;
                told = [2, whole];
            }
            7 => row.attribute(value.bytes()?)?,
            8 => row.flags = value.varint()?,
            _ => {}
        }
    }
    row.points.values.push(number);
    row.end(context, digest::parts(told));
    Ok(())
}

fn spread(points: &mut Points, count: u64, sum: f64, least: f64, greatest: f64) {
    points.counts.push(count);
    points.values.push(sum);
    points.least.push(least);
    points.greatest.push(greatest);
}
