//! Pure mirrors of image-reflector-controller and image-automation-controller 1.2, file by file.

pub mod access;
pub mod automation;
pub mod checkout;
pub mod commit;
pub mod conditions;
pub mod delivery;
pub mod flux;
pub mod git_access;
pub mod installation;
pub mod known_hosts;
pub mod kustomization;
pub mod labels;
pub mod message;
pub mod policy;
pub mod refspec;
pub mod registry_access;
pub mod repository;
pub mod requests;
pub mod schedule;
pub mod setters;
pub mod signing;
pub mod view;
