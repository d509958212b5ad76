//! A stand-in for Amazon S3: what the extended client asks of a bucket, over the store of a payload queue.

use {
    futures_util::stream::{self, StreamExt, TryStreamExt},
    http_body_util::{BodyExt, Full},
    hyper::{
        Method, Request, Response, StatusCode,
        body::{Bytes, Incoming},
        header::CONTENT_ENCODING,
        server::conn::http1,
        service::service_fn,
    },
    hyper_util::rt::TokioIo,
    requeue::payloads::{ObjectPayloadStore, PayloadStore, PayloadStoreError},
    std::{convert::Infallible, io},
    tokio::net::TcpListener,
};

/// Answers requests until an accept fails. Objects are addressed by path, as boto3 does where the host is an IP address.
pub(crate) async fn serve(listener: TcpListener, store: ObjectPayloadStore) -> io::Result<()> {
    loop {
        let (stream, _) = listener.accept().await?;
        let store = store.clone();
        let answer = service_fn(move |request| answer(store.clone(), request));
        tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), answer));
    }
}

async fn answer(store: ObjectPayloadStore, request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    let (status, body) = match object(&store, request).await {
        Ok(answer) => answer,
        Err(PayloadStoreError::NotFound) => (StatusCode::NOT_FOUND, "<Error><Code>NoSuchKey</Code></Error>".into()),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string().into()),
    };
    let mut response = Response::new(Full::from(body));
    *response.status_mut() = status;
    Ok(response)
}

async fn object(
    store: &ObjectPayloadStore,
    request: Request<Incoming>,
) -> Result<(StatusCode, Bytes), PayloadStoreError> {
    let path = request.uri().path().to_owned();
    let (bucket, key) = path.trim_start_matches('/').split_once('/').unwrap_or_default();
    if bucket != store.bucket() {
        return Err(PayloadStoreError::NotFound);
    }
    match *request.method() {
        // boto3 sends chunks with a checksum behind them over TLS alone.
        Method::PUT if request.headers().contains_key(CONTENT_ENCODING) => {
            Ok((StatusCode::NOT_IMPLEMENTED, Bytes::new()))
        }
        Method::PUT => {
            let body = request.into_body().collect().await.map_err(PayloadStoreError::other)?;
            store.put(key, stream::iter([Ok(body.to_bytes())]).boxed()).await?;
            Ok((StatusCode::OK, Bytes::new()))
        }
        Method::GET | Method::HEAD => {
            let chunks: Vec<_> = store.get(key).await?.try_collect().await?;
            Ok((StatusCode::OK, chunks.concat().into()))
        }
        Method::DELETE => {
            store.delete(key).await?;
            Ok((StatusCode::NO_CONTENT, Bytes::new()))
        }
        _ => Ok((StatusCode::METHOD_NOT_ALLOWED, Bytes::new())),
    }
}
