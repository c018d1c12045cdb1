//! The plan's JSON → the plan.

use hashbrown::HashMap;
use serde_json::{Map, Value};

use super::clean::Placeholders;
use super::first::{Timing, Unit};
use super::numbers::Kept;
use super::records::{Condition, Record};
use super::{CountSlot, Entry, Gap, Numbered, Plan, Prefix, Project, TextSlot, Use, identifies};
use crate::schema::{KINDS, facets, flags};

type Read<T> = Result<T, String>;

pub fn plan(json: &str) -> Read<Plan> {
    let value: Value = serde_json::from_str(json).map_err(|error| error.to_string())?;
    let root = value.as_object().ok_or("must be an object")?;
    let mut plan = Plan {
        id_max_length: number(root, "id_max_length")? as usize,
        max_future_skew: number(root, "max_future_skew")?,
        project: project(root)?,
        keys: HashMap::new(),
        numbered: Vec::new(),
        events: HashMap::new(),
        records: records(object(member(root, "records")?)?)?,
        event_prefixes: prefixes(object(member(root, "event_prefixes")?)?)?,
        generic_calls: text(member(root, "generic_calls")?)?.as_bytes().into(),
        paths: vec!["".into()],
        timings: Vec::new(),
        kept: Vec::new(),
        beside: Default::default(),
        kinds: Vec::new(),
        never_model: texts(member(root, "never_model")?)?.collect(),
        agent_names: texts(member(root, "agent_names")?)?.collect(),
        placeholders: Placeholders::new(texts(member(root, "placeholders")?)?.collect()),
        quoted: texts(member(root, "quoted")?)?.collect(),
        metadata_prefixes: texts(member(root, "metadata_prefixes")?)?.collect(),
        not_metadata: Vec::new(),
        never_session: texts(member(root, "never_session")?)?.collect(),
        generic_parts: texts(member(root, "generic_parts")?)?.collect(),
        generic_last: texts(member(root, "generic_last")?)?.collect(),
        resource_session: texts(member(root, "resource_session")?)?.map(Into::into).collect(),
        resource_gaps: gaps(object(member(root, "resource_gaps")?)?)?,
    };
    for (column, entries) in object(member(root, "columns")?)? {
        for (place, entry) in array(entries)?.iter().enumerate() {
            add(&mut plan, column, place, object(entry)?).map_err(|error| format!("{column}[{place}]: {error}"))?;
        }
    }
    Ok(plan)
}

fn add(plan: &mut Plan, column: &str, place: usize, from: &Map<String, Value>) -> Read<()> {
    let order = u32::try_from(place).ok().filter(|&place| place < 0xfff0).ok_or("too many keys")? << 16;
    let mut entry = Entry::new(meaning(plan, column, from)?, order);
    if let Some(path) = from.get("path") {
        plan.paths.push(text(path)?.into());
        if identifies(entry.what) {
            plan.not_metadata
                .push((text(member(from, "key")?)?.as_bytes().into(), text(path)?.into()));
        }
        entry.path = u16::try_from(plan.paths.len() - 1).map_err(|_| "too many paths")?;
    }
    if from.contains_key("beside")
        && let Use::Count(slot) = entry.what
    {
        let places = &mut plan.beside[slot as usize];
        let first = if places.start == places.end { order } else { places.start };
        *places = first..order + 1;
    }
    let key = text(member(from, "key")?)?;
    if let Some(event) = from.get("event") {
        let uses = plan.events.entry(text(event)?.as_bytes().into()).or_default();
        uses.push((key.as_bytes().into(), entry));
    } else if let Some((prefix, suffix)) = key.split_once(".N.") {
        plan.numbered.push(Numbered {
            prefix: format!("{prefix}.").as_bytes().into(),
            suffix: format!(".{suffix}").as_bytes().into(),
            last: matches!(entry.what, Use::Input { .. }),
            entry,
        });
    } else {
        plan.keys.entry(key.as_bytes().into()).or_default().push(entry);
    }
    Ok(())
}

fn meaning(plan: &mut Plan, column: &str, from: &Map<String, Value>) -> Read<Use> {
    Ok(match column {
        "session" => Use::Session {
            class: number(from, "class")? as u8,
        },
        "user" => Use::Text(TextSlot::User),
        "session_name" => Use::Text(TextSlot::SessionName),
        "prompt_name" => Use::Text(TextSlot::PromptName),
        "model" => Use::Text(TextSlot::Model),
        "provider" => Use::Text(TextSlot::Provider),
        "tool" => Use::Text(TextSlot::Tool),
        "response" => Use::Text(TextSlot::Response),
        "tool_entity" => Use::Text(TextSlot::ToolEntity),
        "response_inside" => Use::Text(TextSlot::ResponseInside),
        "input_tokens" => Use::Count(CountSlot::Input),
        "output_tokens" => Use::Count(CountSlot::Output),
        "cache_read" => Use::Count(CountSlot::CacheRead),
        "cache_write" => Use::Count(CountSlot::CacheWrite),
        "reasoning" => Use::Count(CountSlot::Reasoning),
        "total_tokens" => Use::Count(CountSlot::Total),
        "cost" => Use::Cost,
        "input_cost" => Use::CostPart(0),
        "output_cost" => Use::CostPart(1),
        "kind" => Use::Kind(kinds(plan, object(member(from, "values")?)?)?),
        "never_model" => Use::NeverModel,
        "error" => Use::Error,
        "ended" => Use::Ended,
        "record_user" => Use::RecordUser,
        "input" => Use::Input {
            user: from.get("user") == Some(&Value::Bool(true)),
        },
        "output" => Use::Output,
        "first_token" => Use::FirstToken(timing(plan, from)?),
        "score_name" => Use::ScoreName,
        "score_value" => Use::ScoreValue,
        "kept" => Use::Kept(kept(plan, from)?),
        "tags" => Use::Tags,
        "metadata" => Use::MetadataObject,
        _ => return Err("no such column".to_string()),
    })
}

fn timing(plan: &mut Plan, from: &Map<String, Value>) -> Read<u16> {
    let unit = |name: &Value| text(name).and_then(|name| Unit::named(name).ok_or_else(|| format!("no such unit: {name}")));
    let scopes = object(member(from, "scopes")?)?.iter();
    plan.timings.push(Timing {
        unit: unit(member(from, "unit")?)?,
        scopes: scopes
            .map(|(scope, name)| Ok((scope.as_bytes().into(), unit(name)?)))
            .collect::<Read<_>>()?,
    });
    u16::try_from(plan.timings.len() - 1).map_err(|_| "too many timings".to_string())
}

fn kept(plan: &mut Plan, from: &Map<String, Value>) -> Read<u16> {
    plan.kept.push(Kept {
        facet: match text(member(from, "facet")?)? {
            "gap" => facets::GAP,
            "measure" => facets::MEASURE,
            other => return Err(format!("no such facet: {other}")),
        },
        name: text(member(from, "name")?)?.as_bytes().into(),
    });
    u16::try_from(plan.kept.len() - 1).map_err(|_| "too many kept attributes".to_string())
}

fn gaps(from: &Map<String, Value>) -> Read<Vec<Gap>> {
    from.iter()
        .map(|(name, keys)| Ok((name.as_bytes().into(), texts(keys)?.collect())))
        .collect()
}

fn kinds(plan: &mut Plan, values: &Map<String, Value>) -> Read<u16> {
    let mut table = Vec::new();
    for (value, kind) in values {
        table.push((value.to_ascii_lowercase().as_bytes().into(), kind_code(text(kind)?)?));
    }
    plan.kinds.push(table);
    u16::try_from(plan.kinds.len() - 1).map_err(|_| "too many kinds".to_string())
}

fn kind_code(kind: &str) -> Read<u8> {
    let code = KINDS.iter().position(|&known| known == kind);
    code.map(|code| code as u8).ok_or_else(|| format!("no such kind: {kind}"))
}

fn records(from: &Map<String, Value>) -> Read<HashMap<Box<[u8]>, Record>> {
    let mut records = HashMap::new();
    for (event, told) in from {
        let told = object(told)?;
        let flags = match text(member(told, "flag")?)? {
            "" => 0,
            "prompt" => flags::PROMPT,
            "session_start" => flags::SESSION_START,
            "session_end" => flags::SESSION_END,
            "error" => flags::ERROR,
            other => return Err(format!("records: {event}: no such flag: {other}")),
        };
        let record = Record {
            kind: kind_code(text(member(told, "kind")?)?)?,
            flags,
            only: conditions(object(member(told, "only")?)?)?,
        };
        records.insert(event.as_bytes().into(), record);
    }
    Ok(records)
}

fn prefixes(from: &Map<String, Value>) -> Read<Vec<Prefix>> {
    from.iter()
        .map(|(scope, prefix)| Ok((scope.as_bytes().into(), text(prefix)?.as_bytes().into())))
        .collect()
}

fn conditions(from: &Map<String, Value>) -> Read<Vec<Condition>> {
    from.iter()
        .map(|(key, values)| Ok((key.as_bytes().into(), texts(values)?.collect())))
        .collect()
}

fn project(root: &Map<String, Value>) -> Read<Project> {
    let project = object(member(root, "project")?)?;
    match (project.get("attribute"), project.get("value")) {
        (Some(key), None) => Ok(Project::Attribute(text(key)?.into())),
        (None, Some(value)) => Ok(Project::Value(text(value)?.into())),
        _ => Err("project: must have either `attribute` or `value`".to_string()),
    }
}

fn member<'a>(object: &'a Map<String, Value>, name: &str) -> Read<&'a Value> {
    object.get(name).ok_or_else(|| format!("`{name}` is missing"))
}

fn number(object: &Map<String, Value>, name: &str) -> Read<i64> {
    let value = member(object, name)?.as_u64().and_then(|number| i64::try_from(number).ok());
    value.ok_or_else(|| format!("`{name}` must be a whole number"))
}

fn object(value: &Value) -> Read<&Map<String, Value>> {
    value.as_object().ok_or_else(|| format!("must be an object: {value}"))
}

fn array(value: &Value) -> Read<&Vec<Value>> {
    value.as_array().ok_or_else(|| format!("must be a list: {value}"))
}

fn text(value: &Value) -> Read<&str> {
    value.as_str().ok_or_else(|| format!("must be a text: {value}"))
}

fn texts(value: &Value) -> Read<impl Iterator<Item = Box<[u8]>>> {
    let texts = array(value)?.iter().map(text).collect::<Read<Vec<&str>>>()?;
    Ok(texts.into_iter().map(|text| text.as_bytes().into()))
}
