//! Permissions by label.

use super::{
    call::Call,
    fault::Fault,
    model::{AddPermissionRequest, Nothing, RemovePermissionRequest},
};

pub(super) fn add(call: &Call<'_>, input: AddPermissionRequest) -> Result<Nothing, Fault> {
    if input.actions.is_empty() {
        return Err(Fault::missing("Actions"));
    }
    let queue = call.queue(&input.queue_url)?;
    call.service()
        .add_permission(queue.name(), &input.label, input.aws_account_ids, input.actions)?;
    Ok(Nothing)
}

pub(super) fn remove(call: &Call<'_>, input: RemovePermissionRequest) -> Result<Nothing, Fault> {
    let queue = call.queue(&input.queue_url)?;
    call.service().remove_permission(queue.name(), &input.label)?;
    Ok(Nothing)
}
