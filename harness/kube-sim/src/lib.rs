//! An embedded Kubernetes API server, its controllers and a kubelet that runs processes.
