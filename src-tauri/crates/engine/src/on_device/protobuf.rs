//! The least of protocol buffers that mends a written ONNX model: graphs inside `If` nodes must have a name.
//!
//! Field numbers are those of onnx.proto: ModelProto.graph 7; GraphProto.node 1, .name 2; NodeProto.op_type 4,
//! .attribute 5; AttributeProto.name 1, .g 6.

/// Returns `model` with names for the graphs inside its control-flow nodes; the runtime writes them empty and then
/// refuses to read them.
pub(super) fn name_subgraphs(model: &[u8]) -> Option<Vec<u8>> {
    rewrite(model, &mut |field, payload, out| match field {
        7 => emit(7, &graph(payload, b"main_graph")?, out),
        _ => None,
    })
}

fn graph(bytes: &[u8], name: &[u8]) -> Option<Vec<u8>> {
    let mut named = false;
    let rest = rewrite(bytes, &mut |field, payload, out| match field {
        1 => emit(1, &node(payload)?, out),
        2 if payload.is_empty() => Some(()),
        2 => {
            named = true;
            None
        }
        _ => None,
    })?;
    let mut out = Vec::with_capacity(rest.len() + name.len() + 4);
    if !named {
        emit(2, name, &mut out);
    }
    out.extend(rest);
    Some(out)
}

fn node(bytes: &[u8]) -> Option<Vec<u8>> {
    let mut control = false;
    rewrite(bytes, &mut |field, payload, _| {
        control |= field == 4 && matches!(payload, b"If" | b"Loop" | b"Scan");
        None
    })?;
    if !control {
        return Some(bytes.to_vec());
    }
    rewrite(bytes, &mut |field, payload, out| match field {
        5 => emit(5, &attribute(payload)?, out),
        _ => None,
    })
}

fn attribute(bytes: &[u8]) -> Option<Vec<u8>> {
    let mut name = Vec::new();
    rewrite(bytes, &mut |field, payload, _| {
        if field == 1 {
            name = payload.to_vec();
        }
        None
    })?;
    rewrite(bytes, &mut |field, payload, out| match field {
        6 => emit(6, &graph(payload, &name)?, out),
        _ => None,
    })
}

type Change<'a> = &'a mut dyn FnMut(u64, &[u8], &mut Vec<u8>) -> Option<()>;

/// Copies a message record by record; `change` may write another in place of one with a length.
fn rewrite(bytes: &[u8], change: Change<'_>) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(bytes.len() + 64);
    let mut at = 0;
    while at < bytes.len() {
        let begin = at;
        let tag = varint(bytes, &mut at)?;
        match tag & 7 {
            0 => drop(varint(bytes, &mut at)?),
            1 => at += 8,
            5 => at += 4,
            2 => {
                let length = usize::try_from(varint(bytes, &mut at)?).ok()?;
                let payload = bytes.get(at..at.checked_add(length)?)?;
                at += length;
                if change(tag >> 3, payload, &mut out).is_some() {
                    continue;
                }
            }
            _ => return None,
        }
        out.extend_from_slice(bytes.get(begin..at)?);
    }
    Some(out)
}

fn varint(bytes: &[u8], at: &mut usize) -> Option<u64> {
    let mut value = 0u64;
    for shift in (0..64).step_by(7) {
        let byte = *bytes.get(*at)?;
        *at += 1;
        value |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return Some(value);
        }
    }
    None
}

fn emit(field: u64, payload: &[u8], out: &mut Vec<u8>) -> Option<()> {
    for mut value in [field << 3 | 2, payload.len() as u64] {
        while value >= 0x80 {
            out.push(value as u8 | 0x80);
            value >>= 7;
        }
        out.push(value as u8);
    }
    out.extend_from_slice(payload);
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_the_branches_of_an_if_and_leaves_the_rest_alone() {
        let build = |records: &[(u64, &[u8])]| {
            let mut out = Vec::new();
            records.iter().for_each(|(field, payload)| emit(*field, payload, &mut out).unwrap());
            out
        };
        let branch = build(&[(2, b""), (10, b"doc")]);
        let attribute = build(&[(1, b"then_branch"), (6, &branch)]);
        let model = |attribute: &[u8], name: &[(u64, &[u8])]| {
            let node = build(&[(4, b"If"), (5, attribute)]);
            let mut records = name.to_vec();
            records.push((1, &node));
            build(&[(7, &build(&records))])
        };
        let mended = name_subgraphs(&model(&attribute, &[])).unwrap();
        let branch = build(&[(2, b"then_branch"), (10, b"doc")]);
        assert_eq!(mended, model(&build(&[(1, b"then_branch"), (6, &branch)]), &[(2, b"main_graph")]));
        assert_eq!(name_subgraphs(&mended).unwrap(), mended);
        assert_eq!(name_subgraphs(&mended[..mended.len() - 1]), None);
    }
}
