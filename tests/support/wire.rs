//! A wire between one operator and the API server that can be cut: a TCP proxy on loopback.
//!
//! While it is cut nothing passes and nothing is refused, as with a network that drops packets. What
//! was on its way then is lost: a connection does not survive the cut.

use std::net::SocketAddr;

use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// A wire to one address.
pub struct Wire {
    /// Where it begins.
    pub address: SocketAddr,
    cut: watch::Sender<bool>,
    task: JoinHandle<()>,
}

impl Wire {
    /// Lays a wire to `server`.
    pub async fn to(server: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let cut = watch::Sender::new(false);
        let state = cut.clone();
        let task = tokio::spawn(async move {
            loop {
                let (client, _) = listener.accept().await.unwrap();
                tokio::spawn(carry(client, server, state.subscribe()));
            }
        });
        Self { address, cut, task }
    }

    /// Cuts it.
    pub fn cut(&self) {
        self.cut.send_replace(true);
    }

    /// Mends it.
    pub fn mend(&self) {
        self.cut.send_replace(false);
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn carry(mut client: TcpStream, server: SocketAddr, mut cut: watch::Receiver<bool>) {
    let connection = async {
        let mut server = TcpStream::connect(server).await?;
        copy_bidirectional(&mut client, &mut server).await?;
        std::io::Result::Ok(server)
    };
    let was_cut = tokio::select! {
        biased;
        cut = cut.wait_for(|cut| *cut) => cut.is_ok(),
        // A side hung up; so does the other.
        _ = connection => false,
    };
    if was_cut {
        // The operator's end hangs until the wire is mended, and finds the connection gone then.
        let _ = cut.wait_for(|cut| !*cut).await;
    }
}
